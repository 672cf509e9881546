#!/usr/bin/env bash
# Makes what a workflow needs at Google to plan and deploy: a Workload Identity provider for one GitHub repository, an
# account that may only read, for pull requests, and one that deploys, for one branch. Prints the finished workflow.
# Run it as often as you like: what is there already stays. docs/getting-started.md explains each step.
set -euo pipefail

usage() {
  cat <<'USAGE'
setup/bootstrap.sh --project ID --repository OWNER/NAME --cluster NAME --location PLACE --host NAME [FLAG]...

  --project ID             Google Cloud project of the cluster
  --repository OWNER/NAME  the GitHub repository that holds the workflow
  --cluster NAME           the GKE cluster
  --location PLACE         its region or zone
  --host NAME              the name that clients of Milvus will use
  --branch NAME            the branch that deploys; default: main
  --repository-id NUMBER   both ids never change hands; default: what `gh` says
  --owner-id NUMBER
  --address NAME           reserves a global address of this name, which the workflow uses
  --zone NAME              the zone in Cloud DNS that keeps the host's record, which the workflow sets
  --domain NAME            makes that zone for this domain when it isn't there
USAGE
}

project='' repository='' cluster='' location='' host='' branch=main
repository_id='' owner_id='' address='' zone='' domain=''
while [ $# -gt 0 ]; do
  case $1 in
    --help) usage; exit 0 ;;
    --project | --repository | --cluster | --location | --host | --branch | --repository-id | --owner-id | \
      --address | --zone | --domain)
      [ $# -gt 1 ] || { echo "$1 has no value." >&2; exit 2; }
      variable=${1#--}
      printf -v "${variable//-/_}" '%s' "$2"
      shift 2
      ;;
    *) echo "$1 is not a flag; --help lists them." >&2; exit 2 ;;
  esac
done
for variable in project repository cluster location host; do
  [ -n "${!variable}" ] || { echo "--$variable is required; --help lists the flags." >&2; exit 2; }
done
if [ -n "$domain" ] && [ -z "$zone" ]; then echo "--domain needs --zone; --help lists the flags." >&2; exit 2; fi
if [ -z "$repository_id" ] || [ -z "$owner_id" ]; then
  if ! ids=$(gh api "repos/$repository" --jq '"\(.id) \(.owner.id)"'); then
    echo "gh doesn't tell the ids of $repository: log in with gh auth login, or set --repository-id and --owner-id." >&2
    exit 1
  fi
  read -r repository_id owner_id <<<"$ids"
fi

pool=github
provider=repository-$repository_id
planner=milvus-planner
deployer=milvus-deployer
here=$(cd "$(dirname "$0")" && pwd)

in_project() { gcloud "$@" --project="$project" --quiet; }
say() { echo "$*" >&2; }

# Makes something with the second command unless the first one finds it. "--" separates the two.
ensure() {
  local what=$1 find=()
  shift
  while [ "$1" != -- ]; do find+=("$1"); shift; done
  shift
  if in_project "${find[@]}" >/dev/null 2>&1; then
    say "$what: is there"
  else
    in_project "$@" >/dev/null
    say "$what: made"
  fi
}

# Grants a role of the project. Granting it twice is no error and changes nothing.
grant() {
  in_project projects add-iam-policy-binding "$project" --member="serviceAccount:$1@$project.iam.gserviceaccount.com" \
    --role="$2" --condition=None >/dev/null
  say "$1 has $2"
}

# Lets tokens of GitHub act as an account.
let_act() {
  in_project iam service-accounts add-iam-policy-binding "$1@$project.iam.gserviceaccount.com" \
    --role=roles/iam.workloadIdentityUser --member="$2" >/dev/null
  say "$1 can be used by $2"
}

in_project container clusters describe "$cluster" --location="$location" >/dev/null ||
  { say "There is no cluster $cluster in $location of project $project."; exit 1; }
if [ -n "$zone" ] && [ -z "$domain" ]; then
  in_project dns managed-zones describe "$zone" >/dev/null ||
    { say "There is no zone $zone in project $project: --domain makes one."; exit 1; }
fi

say "APIs"
in_project services enable container.googleapis.com compute.googleapis.com iam.googleapis.com \
  iamcredentials.googleapis.com sts.googleapis.com dns.googleapis.com

in_pool=(--location=global --workload-identity-pool="$pool")
ensure "pool $pool" \
  iam workload-identity-pools describe "$pool" --location=global -- \
  iam workload-identity-pools create "$pool" --location=global --display-name=GitHub
mapping=google.subject=assertion.sub,attribute.repository_id=assertion.repository_id,attribute.ref=assertion.ref
ensure "provider $provider" \
  iam workload-identity-pools providers describe "$provider" "${in_pool[@]}" -- \
  iam workload-identity-pools providers create-oidc "$provider" "${in_pool[@]}" \
  --issuer-uri=https://token.actions.githubusercontent.com --attribute-mapping="$mapping" \
  --attribute-condition="assertion.repository_owner_id == '$owner_id' && assertion.repository_id == '$repository_id'"

for account in "$planner" "$deployer"; do
  ensure "account $account" \
    iam service-accounts describe "$account@$project.iam.gserviceaccount.com" -- \
    iam service-accounts create "$account"
done
# A Role says what the planner may read in the cluster: see below.
grant "$planner" roles/container.clusterViewer
grant "$deployer" roles/container.developer
more=''
if [ -n "$address" ]; then
  ensure "address $address" \
    compute addresses describe "$address" --global -- \
    compute addresses create "$address" --global
  grant "$planner" roles/compute.viewer
  grant "$deployer" roles/compute.viewer
  more+=$'\n          static_ip_name: '$address
fi
if [ -n "$zone" ]; then
  ensure "zone $zone" \
    dns managed-zones describe "$zone" -- \
    dns managed-zones create "$zone" --dns-name="$domain." --description=Milvus
  grant "$planner" roles/dns.reader
  grant "$deployer" roles/dns.admin
  more+=$'\n          dns_zone: '$zone
fi

number=$(in_project projects describe "$project" --format='value(projectNumber)')
in_github=principalSet://iam.googleapis.com/projects/$number/locations/global/workloadIdentityPools/$pool
let_act "$planner" "$in_github/attribute.repository_id/$repository_id"
# A job of a pull request has the ref of that pull request, never the branch's.
let_act "$deployer" "$in_github/attribute.ref/refs/heads/$branch"

say
say "Let the planner read in the release's namespace, once:"
say "  sed 's/PROJECT/$project/' $here/planner-role.yaml | kubectl apply --namespace NAMESPACE -f -"
say
say "The workflow, for .github/workflows/milvus.yml of $repository:"
say
workflow=$(<"$here/workflow.yml.tftpl")
fill() {
  local placeholder="\${$1}"
  workflow=${workflow//"$placeholder"/"$2"}
}
fill provider "projects/$number/locations/global/workloadIdentityPools/$pool/providers/$provider"
fill planner "$planner@$project.iam.gserviceaccount.com"
fill deployer "$deployer@$project.iam.gserviceaccount.com"
fill branch "$branch"
fill host "$host"
fill cluster "$cluster"
fill location "$location"
fill more "$more"
# Terraform's way to write GitHub's "${{".
escaped="\$\${{" expression="\${{"
echo "${workflow//"$escaped"/$expression}"
