terraform {
  # 1.11 has write-only arguments: what a secret holds never stands in the state.
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 6.62"
    }
  }
}
