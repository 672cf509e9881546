#!/usr/bin/env bash
# What release.yml does with a tag such as v1.2.3, in TAG. __tests__/release.test.ts runs it on a repository of its own.
#
#   release.sh check        refuses a tag that is no release of main
#   release.sh publish      makes the release with its section of the changelog and the list of what dist/ contains
#   release.sh move-major   moves the tag v1, which is what most workflows use
set -euo pipefail

version=${TAG#v}
major=${TAG%%.*}

refuse() { echo "$TAG: $*" >&2; exit 1; }

# Prints the version's section of the changelog.
notes() {
  awk -v head="## $version" '$0 == head { on = 1; next } /^## / { on = 0 } on' CHANGELOG.md
}

check() {
  git merge-base --is-ancestor "$TAG" origin/main || refuse "it is not on main. Merge first, and tag what main has."
  local packaged
  packaged=$(npm pkg get version)
  [ "$packaged" = "\"$version\"" ] || refuse "package.json has the version $packaged. Set it to \"$version\"."
  [[ $(notes) =~ [^[:space:]] ]] || refuse "CHANGELOG.md says nothing under \"## $version\"."
}

publish() {
  # A run before this one may have failed halfway.
  case $(gh release view "$TAG" --json isDraft --jq .isDraft 2>/dev/null || true) in
    false) echo "$TAG: the release is there already."; return ;;
    true) gh release delete "$TAG" --yes ;;
  esac
  notes > notes.md
  npm sbom --package-lock-only --omit dev --sbom-format cyclonedx > sbom.cdx.json
  # First a draft: where releases are immutable, a published one takes no more files.
  gh release create "$TAG" --draft --verify-tag --title "$TAG" --notes-file notes.md sbom.cdx.json
  gh release edit "$TAG" --draft=false
}

move_major() {
  local newest
  newest=$(git tag --list "$major.*.*" | sort --version-sort | tail -n 1)
  if [ "$newest" != "$TAG" ]; then
    echo "$major stays where it is: $newest is newer than $TAG."
    return
  fi
  # The checkout keeps no token.
  gh auth setup-git
  git push --force origin "$TAG^{commit}:refs/tags/$major"
}

case ${1-} in
  check) check ;;
  publish) publish ;;
  move-major) move_major ;;
  *) echo "release.sh check|publish|move-major" >&2; exit 2 ;;
esac
