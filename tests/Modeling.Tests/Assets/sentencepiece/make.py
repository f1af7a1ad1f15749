"""Makes the SentencePiece models of this folder and what SentencePiece itself says about the texts in texts.json.

Debian's python3-sentencepiece 0.1.97-3+b1 and python3-protobuf; run here: python3 make.py
The models are trained on samples/data/retention.txt (public domain) and on lines of our own.
"""
import base64
import json
import pathlib
import tempfile

import sentencepiece as spm
from sentencepiece import sentencepiece_model_pb2 as pb

assert spm.__version__ == "0.1.97", spm.__version__
HERE = pathlib.Path(__file__).parent
PROSE = HERE.parents[3] / "samples" / "data" / "retention.txt"
OWN = "你好 世界, 한가 가나다 é É ½ 😀 ﾊﾟ ﷺ\n" * 6

# A small map with a rule of every kind that nmt_nfkc has: to nothing, to a space, to several characters, from several characters, long, chained.
RULES = {
    "\u0007": "", "\u200b": "", "\ufeff": " ", "\t": " ", "\n": " ", "\r": " ", "\u00a0": " ", "\u3000": " ", "\u2028": " ", "\x85": " ",
    "ﬁ": "fi", "½": "1⁄2", "…": "...", "㍿": "株式会社", "ﷺ": "صلى الله عليه وسلم", "e\u0301": "é", "E\u0301": "É", "ﾊﾟ": "パ", "ﾊ": "ハ",
    "Å": "Å", "A\u030a": "Å", "\u2002": " ", "～": "~", "¨": " \u0308", "가": "가", "가\u11a8": "각",
    **{chr(0xFF21 + i): chr(0x41 + i) for i in range(26)}, **{chr(0xFF41 + i): chr(0x61 + i) for i in range(26)},
}

MODELS = {
    # What XLM-RoBERTa's file is like: <unk>, <s>, </s>, pieces.
    "xlm-roberta/sentencepiece.bpe.model": dict(model_type="unigram", vocab_size=420),
    # Everything else that a unigram file may say, some of its pieces marked as unused.
    "unigram/spiece.model": dict(
        model_type="unigram", vocab_size=620, pad_id=3, user_defined_symbols="<mask>,qzx,▁a▁", byte_fallback=True, add_dummy_prefix=False,
        remove_extra_whitespaces=False, allow_whitespace_only_pieces=True, normalization_rule_name="identity"),
    # BPE, some of its pieces marked as unused.
    "bpe/tokenizer.model": dict(model_type="bpe", vocab_size=700, pad_id=3, user_defined_symbols="<mask>,qzx,foo", byte_fallback=True),
    # BPE without bytes, words not kept apart.
    "bpe-across/tokenizer.model": dict(
        model_type="bpe", vocab_size=500, pad_id=3, user_defined_symbols="<mask>", split_by_whitespace=False, remove_extra_whitespaces=False),
}


def train(path, options, folder):
    rules = folder / "rules.tsv"
    code = lambda text: " ".join(f"{ord(c):X}" for c in text)
    rules.write_text("".join(f"{code(a)}\t{code(b)}\n" for a, b in sorted(RULES.items())))
    own = folder / "own.txt"
    own.write_text(OWN)
    if "normalization_rule_name" not in options:
        options = {**options, "normalization_rule_tsv": str(rules)}
    path.parent.mkdir(exist_ok=True)
    spm.SentencePieceTrainer.train(
        input=f"{PROSE},{own}", model_prefix=str(folder / "m"), character_coverage=1.0, num_threads=1, minloglevel=2, **options)
    model = pb.ModelProto()
    model.ParseFromString((folder / "m.model").read_bytes())
    model.trainer_spec.ClearField("input")                      # paths of the machine
    model.trainer_spec.ClearField("model_prefix")
    model.normalizer_spec.ClearField("normalization_rule_tsv")
    if path.parent.name in ("bpe", "unigram"):
        for place, piece in enumerate(model.pieces):
            if piece.type == pb.ModelProto.SentencePiece.NORMAL and len(piece.piece) > 1 and place % 5 == 0:
                piece.type = pb.ModelProto.SentencePiece.UNUSED
    path.write_bytes(model.SerializeToString())


def write_tokenizer_json(path):
    """The parts that Hugging Face's converter makes of an XLM-RoBERTa model file, where they are saved in the layout of xlm-roberta-base."""
    model = pb.ModelProto()
    model.ParseFromString(path.read_bytes())
    vocabulary = [["<s>", 0.0], ["<pad>", 0.0], ["</s>", 0.0], ["<unk>", 0.0]]
    vocabulary += [[piece.piece, piece.score] for piece in model.pieces[3:]] + [["<mask>", 0.0]]
    ids = {token: place for place, (token, _) in enumerate(vocabulary)}
    special = lambda token: {"SpecialToken": {"id": token, "type_id": 0}}
    text = lambda name: {"Sequence": {"id": name, "type_id": 0}}
    tokenizer = {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [
            {"id": ids[token], "special": True, "content": token, "single_word": False, "lstrip": token == "<mask>", "rstrip": False, "normalized": False}
            for token in ("<s>", "<pad>", "</s>", "<unk>", "<mask>")],
        "normalizer": {
            "type": "Precompiled", "precompiled_charsmap": base64.b64encode(model.normalizer_spec.precompiled_charsmap).decode()},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "WhitespaceSplit"}, {"type": "Metaspace", "replacement": "▁", "str_rep": "▁", "add_prefix_space": True}]},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [special("<s>"), text("A"), special("</s>")],
            "pair": [special("<s>"), text("A"), special("</s>"), special("</s>"), text("B"), special("</s>")],
            "special_tokens": {token: {"id": token, "ids": [ids[token]], "tokens": [token]} for token in ("<s>", "</s>")}},
        "decoder": {"type": "Metaspace", "replacement": "▁", "str_rep": "▁", "add_prefix_space": True},
        "model": {"type": "Unigram", "unk_id": 3, "vocab": vocabulary},
    }
    (path.parent / "tokenizer.json").write_text(json.dumps(tokenizer, ensure_ascii=False) + "\n")


def main():
    texts = json.loads((HERE / "texts.json").read_text())
    golden = {}
    for name, options in MODELS.items():
        path = HERE / name
        with tempfile.TemporaryDirectory() as folder:
            train(path, options, pathlib.Path(folder))
        processor = spm.SentencePieceProcessor(model_file=str(path))
        golden[name] = [processor.encode(text) for text in texts]
    write_tokenizer_json(HERE / "xlm-roberta/sentencepiece.bpe.model")
    lines = ",\n".join(f"{json.dumps(name)}: [\n" + ",\n".join(json.dumps(ids) for ids in rows) + "\n]" for name, rows in golden.items())
    (HERE / "ids.json").write_text("{\n" + lines + "\n}\n")


main()
