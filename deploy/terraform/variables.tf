# The same names, in snake case, and the same defaults as the parameters of deploy/sam/template.yaml, which
# deploy/sam/check.py compares.

# Only here: the program comes from a file, the name from a variable.

variable "name" {
  description = "What everything is called, and what the names of alarms and functions begin with"
  type        = string
  default     = "ssm-audit"

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{0,26}$", var.name))
    error_message = "Lower-case letters, digits and hyphens, at most 27: buckets and roles are named after it."
  }
}

variable "package_path" {
  description = "The zip that deploy/package.sh made, such as target/lambda/ssm-audit-arm64.zip"
  type        = string
}

variable "tags" {
  description = "Tags of everything that is made here"
  type        = map(string)
  default     = {}
}

# Program

variable "architecture" {
  description = "What the zip was built for"
  type        = string
  default     = "arm64"

  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "arm64 or x86_64."
  }
}

variable "ingest_memory" {
  description = "MB of ingest. It needs little memory; more brings more processor"
  type        = number
  default     = 1024
}

variable "sweep_memory" {
  description = "MB of sweep and report, which hold the sessions of their period, and of compact. 1769 is one processor"
  type        = number
  default     = 1769
}

variable "ingest_concurrency" {
  description = "Copies of ingest that the queue may start at once"
  type        = number
  default     = 10

  validation {
    condition     = var.ingest_concurrency >= 2 && var.ingest_concurrency <= 1000
    error_message = "From 2 to 1000."
  }
}

variable "log_level" {
  description = "What the functions write to their logs"
  type        = string
  default     = "info"

  validation {
    condition     = contains(["error", "warn", "info", "debug"], var.log_level)
    error_message = "error, warn, info or debug."
  }
}

variable "log_retention_days" {
  description = "Days that the functions' own logs are kept. The facts are not in them"
  type        = number
  default     = 90
}

# Where the logs are

variable "wiring" {
  description = "How the log buckets tell of new objects. Both need one step at the bucket, see docs/deploying.md"
  type        = string
  default     = "BucketNotification"

  validation {
    condition     = contains(["BucketNotification", "EventBridge"], var.wiring)
    error_message = "BucketNotification or EventBridge."
  }
}

variable "session_bucket" {
  description = "Existing bucket with Session Manager's transcripts, by name"
  type        = string
  default     = ""
}

variable "session_prefix" {
  description = "What their keys begin with, such as sessions/"
  type        = string
  default     = ""
}

variable "trail_bucket" {
  description = "Existing bucket with CloudTrail's files, by name. May be the same bucket"
  type        = string
  default     = ""
}

variable "trail_prefix" {
  description = "What their keys begin with"
  type        = string
  default     = "AWSLogs/"
}

variable "other_log_bucket_arns" {
  description = "ARNs of more log buckets, read whole"
  type        = list(string)
  default     = []
}

variable "log_bucket_accounts" {
  description = "Accounts that own the log buckets, if it is not this one"
  type        = list(string)
  default     = []
}

variable "source_kms_key_arns" {
  description = "ARNs of the KMS keys of the log buckets and of config_bucket"
  type        = list(string)
  default     = []
}

variable "live_events" {
  description = "Hear of API calls through EventBridge, seconds after they happen. Needs a trail in this account"
  type        = bool
  default     = true
}

variable "organization_id" {
  description = "Organization whose accounts may forward their API calls to this account, see docs/multi-account.md"
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^(|o-[a-z0-9]{10,32})$", var.organization_id))
    error_message = "The id of an organization, such as o-abcdefghij, or nothing."
  }
}

variable "session_log_group" {
  description = "Existing CloudWatch Logs group to which sessions are streamed, by name"
  type        = string
  default     = ""
}

# Store

variable "store_bucket" {
  description = "Existing bucket for the store. Empty makes one"
  type        = string
  default     = ""

  # What ingest writes would be ingested again.
  validation {
    condition     = var.store_bucket == "" || !contains([var.session_bucket, var.trail_bucket], var.store_bucket)
    error_message = "The store needs another bucket than the logs."
  }
}

variable "store_prefix" {
  description = "Prefix of the store in its bucket"
  type        = string
  default     = "ssm-audit"

  validation {
    condition     = can(regex("^[A-Za-z0-9_.=-]+(/[A-Za-z0-9_.=-]+)*$", var.store_prefix))
    error_message = "No slash at either end."
  }
}

variable "store_kms_key_arn" {
  description = "ARN of the KMS key of store_bucket, if that exists and has one"
  type        = string
  default     = ""
}

variable "store_lock_days" {
  description = "Days that Object Lock keeps each fact in a bucket made here. 0 is off"
  type        = number
  default     = 0
}

variable "store_lock_mode" {
  description = "COMPLIANCE can be lifted by nobody, not even by the root user, until the days are over"
  type        = string
  default     = "GOVERNANCE"

  validation {
    condition     = contains(["GOVERNANCE", "COMPLIANCE"], var.store_lock_mode)
    error_message = "GOVERNANCE or COMPLIANCE."
  }
}

# Rules and routes

variable "config_bucket" {
  description = "Bucket with your rules or routes. Who can write to it can silence the pipeline"
  type        = string
  default     = ""

  validation {
    condition     = var.config_bucket != "" || (var.rules_prefix == "" && var.routes_key == "")
    error_message = "rules_prefix and routes_key are places in config_bucket, which is not given."
  }
}

variable "rules_prefix" {
  description = "Where in config_bucket the rules are, such as rules.d/. Empty is the pack that ships in the zip"
  type        = string
  default     = ""

  validation {
    condition     = var.rules_prefix == "" || endswith(var.rules_prefix, "/")
    error_message = "A prefix with a slash at its end, or nothing."
  }
}

variable "routes_key" {
  description = "Key of the routes file in config_bucket. Empty sends everything to the alert topic"
  type        = string
  default     = ""
}

# Who is told

variable "alert_topic_arn" {
  description = "Existing topic for alerts. Empty makes one"
  type        = string
  default     = ""
}

variable "alert_email" {
  description = "Address that gets alerts. Confirm the mail that SNS sends"
  type        = string
  default     = ""
}

variable "topic_level" {
  description = "Alerts of this level or graver go to the alert topic. Without effect if there is a routes_key"
  type        = string
  default     = "medium"

  validation {
    condition     = contains(["informational", "low", "medium", "high", "critical"], var.topic_level)
    error_message = "informational, low, medium, high or critical."
  }
}

variable "topic_format" {
  description = "text for mail, chat for Amazon Q Developer in chat. Without effect if there is a routes_key"
  type        = string
  default     = "text"

  validation {
    condition     = contains(["text", "json", "chat"], var.topic_format)
    error_message = "text, json or chat."
  }
}

variable "route_topic_arns" {
  description = "More topics that the routes file names"
  type        = list(string)
  default     = []
}

variable "alarm_topic_arn" {
  description = "Existing topic for trouble with the pipeline itself. Empty makes one"
  type        = string
  default     = ""
}

variable "alarm_email" {
  description = "Address that gets alarms"
  type        = string
  default     = ""
}

variable "topic_kms_key_arns" {
  description = "ARNs of the KMS keys of existing topics"
  type        = list(string)
  default     = []
}

variable "kms_key_arn" {
  description = "ARN of an existing KMS key for what is made here. Empty makes one. Its policy: docs/deploying.md"
  type        = string
  default     = ""
}

# Off unless you say so

variable "allow_terminate_session" {
  description = "May a route end a session in this account. The routes file has to say so too"
  type        = bool
  default     = false
}

variable "respond_role_arn" {
  description = "Role to assume for that in other accounts, such as arn:aws:iam::*:role/ssm-audit-respond"
  type        = string
  default     = ""
}

variable "allow_security_hub" {
  description = "May a route import findings into this account's Security Hub"
  type        = bool
  default     = false
}

# The one thing that deletes: files of facts that others with the same rows have replaced. Worth it from some 10,000
# sessions a month. With a lock on the store: docs/deploying.md.
variable "compact" {
  description = "Put many small files of facts together each hour, and an hour later delete those that were replaced"
  type        = bool
  default     = false
}

# Behaviour

variable "grace" {
  description = "How long a transcript may take to come after its session's end"
  type        = string
  default     = "1h"
}

variable "sweep_since" {
  description = "How far back each sweep looks. Compact looks a day further"
  type        = string
  default     = "3d"
}

variable "max_inflated_bytes" {
  description = "Bytes that one object may inflate to; more is quarantined"
  type        = number
  default     = 4294967296
}

variable "time_zone" {
  description = "IANA time zone in which the monthly report is due and its days begin, such as Europe/Berlin"
  type        = string
  default     = "UTC"
}

variable "metrics_namespace" {
  description = "CloudWatch namespace of the pipeline's own metrics"
  type        = string
  default     = "ssm-audit"
}

variable "silence_hours" {
  description = "Hours without a new log object after which somebody is told"
  type        = number
  default     = 6

  validation {
    condition     = var.silence_hours >= 1 && var.silence_hours <= 168
    error_message = "From 1 to 168."
  }
}

variable "queue_age_seconds" {
  description = "Age of the oldest waiting object at which somebody is told"
  type        = number
  default     = 1800
}
