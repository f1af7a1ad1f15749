#!/usr/bin/env bash
# Checks that TorchSharp's native library loads without a manual step wherever a user may start a program: dotnet run, dotnet test,
# published output, a project that only references the packed NuGet, many processes at once. Linux x64 only. Works in a temporary folder
# and removes it; needs about 2 GB there for a while. Usage: eng/check-native.sh
set -euo pipefail
repository=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
version=0.0.0-check
libtorch=$(sed -n 's/.*"libtorch-cpu-linux-x64" Version="\([^"]*\)".*/\1/p' "$repository/Directory.Packages.props")
failures=0

say() { printf '%-58s %s\n' "$1" "$2"; }

# expect NAME TEXT COMMAND...: the command's output holds the text; each check has an empty cache of its own.
expect() {
  local name=$1 text=$2
  shift 2
  rm -rf "$work/cache"
  if MLNETLORA_CACHE="$work/cache" "$@" >"$work/log" 2>&1 || true; grep -qF -- "$text" "$work/log"; then
    say "$name" "ok, $(find "$work/cache" -type f 2>/dev/null | wc -l) file(s) in the cache"
  else
    say "$name" FAILED
    tail -n 20 "$work/log"
    failures=$((failures + 1))
  fi
}

# Packages that are already restored are used in place: libtorch alone would be 0.6 GB more.
restored=${NUGET_PACKAGES:-$HOME/.nuget/packages}
export NUGET_PACKAGES=$work/packages
mkdir -p "$work/app" "$work/library" "$work/feed"
cat >"$work/nuget.config" <<XML
<configuration>
  <packageSources><add key="packed" value="$work/feed" /></packageSources>
</configuration>
XML
cat >"$work/Directory.Build.props" <<XML
<Project>
  <PropertyGroup>
    <TargetFramework>net10.0</TargetFramework>
    <TreatWarningsAsErrors>true</TreatWarningsAsErrors>
    <AnalysisLevel>latest-all</AnalysisLevel>
    <RestoreFallbackFolders>$restored</RestoreFallbackFolders>
    <CreateHardLinksForCopyLocalIfPossible>true</CreateHardLinksForCopyLocalIfPossible>
    <CreateHardLinksForPublishFilesIfPossible>true</CreateHardLinksForPublishFilesIfPossible>
  </PropertyGroup>
</Project>
XML
# The application references a library that references the package, so the module initializer has to come through both.
cat >"$work/library/Library.csproj" <<XML
<Project Sdk="Microsoft.NET.Sdk">
  <ItemGroup><PackageReference Include="MLNetLoRA.Modeling" Version="$version" /></ItemGroup>
</Project>
XML
cat >"$work/app/App.csproj" <<XML
<Project Sdk="Microsoft.NET.Sdk">
  <PropertyGroup>
    <OutputType>Exe</OutputType>
    <NoWarn>CA1303;CA1515;CA1852</NoWarn>
  </PropertyGroup>
  <ItemGroup>
    <ProjectReference Include="../library/Library.csproj" />
    <PackageReference Include="libtorch-cpu-linux-x64" Version="$libtorch" />
  </ItemGroup>
</Project>
XML
cat >"$work/app/Program.cs" <<'CS'
if (args.Length > 0) Early.Load();
using var ones = TorchSharp.torch.ones(3, 4);
using var sum = ones.sum();
System.Console.WriteLine($"sum {TorchSharp.TensorExtensionMethods.ToSingle(sum)}");
if (args.Length > 0) Early.Tell();

// Apart from Main, whose compilation would already run the initializer of MLNetLoRA's own assembly.
internal static class Early
{
    [System.Runtime.CompilerServices.MethodImpl(System.Runtime.CompilerServices.MethodImplOptions.NoInlining)]
    public static void Load() => MLNetLoRA.Modeling.TorchNativeLibrary.EnsureLoaded();

    [System.Runtime.CompilerServices.MethodImpl(System.Runtime.CompilerServices.MethodImplOptions.NoInlining)]
    public static void Tell() => System.Console.WriteLine(MLNetLoRA.Modeling.TorchNativeLibrary.ExistingLibTorch);
}
CS

NUGET_PACKAGES=$restored dotnet pack "$repository/src/Modeling" -c Release -o "$work/feed" -p:Version=$version -v q --nologo
app=$work/app
built=$app/bin/Release/net10.0/App

dotnet build "$app" -c Release -v q --nologo
expect "dotnet run, project that references the package" "sum 12" dotnet run --project "$app" -c Release --no-build
expect "dotnet App.dll" "sum 12" dotnet "$built.dll"

eight() {
  local i pids=()
  for i in 1 2 3 4 5 6 7 8; do "$built" >"$work/out$i" 2>&1 & pids+=($!); done
  for i in "${pids[@]}"; do wait "$i"; done
  cat "$work"/out? | sort | uniq -c
}
expect "8 processes at once, empty cache" "8 sum 12" eight

# What follows depends on whether this system's libstdc++ is new enough for the shipped library.
needs_help=$([ -d "$work/cache/mlnetlora" ] && echo yes || echo no)
if [ $needs_help = yes ]; then
  mkdir -m 755 "$work/open" && chmod 777 "$work/open"
  refused() { env MLNETLORA_CACHE="$work/open" XDG_CACHE_HOME="$work/open" HOME=/nonexistent "$@"; }
  expect "no usable cache, EnsureLoaded: one clear exception" "System.DllNotFoundException: MLNetLoRA: " refused "$built" early
  expect "no usable cache, TorchSharp first: cause in its trace" "Set MLNETLORA_CACHE to a folder" refused "$built"
  tamper() {
    "$built"
    find "$MLNETLORA_CACHE" -name '*.so' -exec dd if=/dev/zero of={} bs=1 seek=4096 count=64 conv=notrunc status=none \;
    "$built"
    local copy
    copy=$(find "$MLNETLORA_CACHE" -name '*.so')
    [ "$(sha256sum <"$copy" | cut -d' ' -f1)" = "$(basename "$(dirname "$copy")")" ] && echo mended
  }
  expect "tampered copy is replaced" mended tamper
else
  say "failure texts" "skipped: the shipped library loads on this system by itself"
fi

# A copy that says it is of another version: it has to pass the self-test, in another process of the same program.
named() { MLNETLORA_LIBTORCH=$work/named MLNETLORA_LIBTORCH_ALLOW_MISMATCH=1 "$@"; }
mkdir -p "$work/named" && cp -r "$restored/libtorch-cpu-linux-x64/$libtorch/runtimes/linux-x64/native" "$work/named/lib"
echo 2.9.0 >"$work/named/build-version"
expect "named libtorch of another version, dotnet App.dll" "libtorch 2.9.0 (" named dotnet "$built.dll" early
expect "named libtorch of another version, executable" "libtorch 2.9.0 (" named "$built" early
expect "named libtorch that is none" "there is no such folder" env MLNETLORA_LIBTORCH="$work/none" "$built" early

publish() { rm -rf "$work/out"; dotnet publish "$app" -c Release -o "$work/out" -v q --nologo "$@" >"$work/log" 2>&1; }
published() {
  local name=$1
  shift
  if publish "$@"; then
    expect "$name" "sum 12" "$work/out/App"
    expect "$name, named libtorch" "libtorch 2.9.0 (" named "$work/out/App" early
  else say "$name" FAILED; tail -n 5 "$work/log"; failures=$((failures + 1)); fi
  rm -rf "$work/out"
}
export DOTNET_BUNDLE_EXTRACT_BASE_DIR=$work/extracted
published "publish, framework-dependent"
published "publish, framework-dependent for linux-x64" -r linux-x64 --no-self-contained
published "publish, single file, framework-dependent" -r linux-x64 --no-self-contained -p:PublishSingleFile=true
# The runtime comes from the package feed for these.
published "publish, self-contained" -r linux-x64 --self-contained
published "publish, single file, self-contained" -r linux-x64 --self-contained -p:PublishSingleFile=true
published "publish, single file with native libraries inside" -r linux-x64 --self-contained -p:PublishSingleFile=true \
  -p:IncludeNativeLibrariesForSelfExtract=true

dotnet build "$app" -c Release -v q --nologo -p:MLNetLoRAModuleInitializer=false --no-incremental
if grep -qF TorchNativeLibraryInitializer "$built.dll"; then say "switched off by MLNetLoRAModuleInitializer" FAILED; failures=$((failures + 1))
else say "switched off by MLNetLoRAModuleInitializer" ok; fi
# The counter-check: without help and with TorchSharp touched first, the same program must fail here.
if [ $needs_help = yes ]; then
  expect "switched off, TorchSharp first: fails" "Result from regular native load of LibTorchSharp is False" "$built"
fi

export NUGET_PACKAGES=$restored
expect "dotnet test" "Passed!" dotnet test "$repository/tests/Modeling.Tests" --filter "FullyQualifiedName~TorchNativeLibraryTests"

echo "$failures failure(s)"
exit $((failures > 0))
