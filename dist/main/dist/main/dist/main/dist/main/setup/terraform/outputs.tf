output "workflow" {
  description = "The workflow, for .github/workflows/milvus.yml of the repository."
  value = templatefile("${path.module}/../workflow.yml.tftpl", {
    provider = "${local.pool}/providers/${google_iam_workload_identity_pool_provider.repository.workload_identity_pool_provider_id}"
    planner  = local.planner
    deployer = local.deployer
    branch   = var.branch
    host     = var.host
    cluster  = var.cluster
    location = var.location
    more = join("", [
      var.address == null ? "" : "\n          static_ip_name: ${var.address}",
      var.zone == null ? "" : "\n          dns_zone: ${var.zone}",
    ])
  })
}

output "name_servers" {
  description = "What the domain's registrar must name for a zone that was made here."
  value       = one(google_dns_managed_zone.milvus[*].name_servers)
}
