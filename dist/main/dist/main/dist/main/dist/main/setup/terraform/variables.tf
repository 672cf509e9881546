variable "project" {
  description = "Google Cloud project of the cluster."
  type        = string
}

variable "repository_id" {
  description = "Id of the GitHub repository that holds the workflow. It never changes hands, as a name can."
  type        = string
}

variable "owner_id" {
  description = "Id of the repository's owner."
  type        = string
}

variable "cluster" {
  description = "The GKE cluster."
  type        = string
}

variable "location" {
  description = "The cluster's region or zone."
  type        = string
}

variable "host" {
  description = "The name that clients of Milvus will use."
  type        = string
}

variable "branch" {
  description = "The branch that deploys."
  type        = string
  default     = "main"
}

variable "address" {
  description = "Name of a global address to reserve, which the workflow uses."
  type        = string
  default     = null
}

variable "zone" {
  description = "Name of the zone in Cloud DNS that keeps the host's record, which the workflow sets."
  type        = string
  default     = null
}

variable "domain" {
  description = "Makes the zone for this domain. Null for a zone that is there already."
  type        = string
  default     = null
}
