# Makes what setup/bootstrap.sh makes: a Workload Identity provider for one GitHub repository, an account that may only
# read, for pull requests, and one that deploys, for one branch. docs/getting-started.md explains each part.

data "google_project" "this" {
  project_id = var.project
}

resource "google_project_service" "this" {
  for_each = toset([
    "container.googleapis.com",
    "compute.googleapis.com",
    "iam.googleapis.com",
    "iamcredentials.googleapis.com",
    "sts.googleapis.com",
    "dns.googleapis.com",
  ])
  project            = var.project
  service            = each.value
  disable_on_destroy = false
}

resource "google_iam_workload_identity_pool" "github" {
  project                   = var.project
  workload_identity_pool_id = "github"
  display_name              = "GitHub"
  depends_on                = [google_project_service.this]
}

resource "google_iam_workload_identity_pool_provider" "repository" {
  project                            = var.project
  workload_identity_pool_id          = google_iam_workload_identity_pool.github.workload_identity_pool_id
  workload_identity_pool_provider_id = "repository-${var.repository_id}"
  attribute_condition                = "assertion.repository_owner_id == '${var.owner_id}' && assertion.repository_id == '${var.repository_id}'"

  attribute_mapping = {
    "google.subject"          = "assertion.sub"
    "attribute.repository_id" = "assertion.repository_id"
    "attribute.ref"           = "assertion.ref"
  }

  oidc {
    issuer_uri = "https://token.actions.githubusercontent.com"
  }
}

resource "google_service_account" "planner" {
  project    = var.project
  account_id = "milvus-planner"
  depends_on = [google_project_service.this]
}

resource "google_service_account" "deployer" {
  project    = var.project
  account_id = "milvus-deployer"
  depends_on = [google_project_service.this]
}

locals {
  pool     = "projects/${data.google_project.this.number}/locations/global/workloadIdentityPools/${google_iam_workload_identity_pool.github.workload_identity_pool_id}"
  planner  = google_service_account.planner.email
  deployer = google_service_account.deployer.email
}

resource "google_service_account_iam_member" "planner" {
  service_account_id = google_service_account.planner.name
  role               = "roles/iam.workloadIdentityUser"
  member             = "principalSet://iam.googleapis.com/${local.pool}/attribute.repository_id/${var.repository_id}"
}

# A job of a pull request has the ref of that pull request, never the branch's.
resource "google_service_account_iam_member" "deployer" {
  service_account_id = google_service_account.deployer.name
  role               = "roles/iam.workloadIdentityUser"
  member             = "principalSet://iam.googleapis.com/${local.pool}/attribute.ref/refs/heads/${var.branch}"
}

# setup/planner-role.yaml says what the planner may read in the cluster.
resource "google_project_iam_member" "planner" {
  project = var.project
  role    = "roles/container.clusterViewer"
  member  = "serviceAccount:${local.planner}"
}

resource "google_project_iam_member" "deployer" {
  project = var.project
  role    = "roles/container.developer"
  member  = "serviceAccount:${local.deployer}"
}

resource "google_compute_global_address" "milvus" {
  count      = var.address == null ? 0 : 1
  project    = var.project
  name       = var.address
  depends_on = [google_project_service.this]
}

resource "google_project_iam_member" "planner_address" {
  count   = var.address == null ? 0 : 1
  project = var.project
  role    = "roles/compute.viewer"
  member  = "serviceAccount:${local.planner}"
}

resource "google_project_iam_member" "deployer_address" {
  count   = var.address == null ? 0 : 1
  project = var.project
  role    = "roles/compute.viewer"
  member  = "serviceAccount:${local.deployer}"
}

resource "google_dns_managed_zone" "milvus" {
  count       = var.domain == null ? 0 : 1
  project     = var.project
  name        = var.zone
  dns_name    = "${var.domain}."
  description = "Milvus"
  depends_on  = [google_project_service.this]
}

resource "google_project_iam_member" "planner_zone" {
  count   = var.zone == null ? 0 : 1
  project = var.project
  role    = "roles/dns.reader"
  member  = "serviceAccount:${local.planner}"
}

resource "google_project_iam_member" "deployer_zone" {
  count   = var.zone == null ? 0 : 1
  project = var.project
  role    = "roles/dns.admin"
  member  = "serviceAccount:${local.deployer}"
}
