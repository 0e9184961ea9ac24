# ssm-audit on AWS: functions of one binary, their queues, topics and, if you like, the store. iam.tf has the
# permissions, alarms.tf the alarms. The same as deploy/sam/template.yaml, whose drawing says how it hangs together;
# deploy/sam/check.py compares the two.

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  account   = data.aws_caller_identity.current.account_id
  partition = data.aws_partition.current.partition
  suffix    = data.aws_partition.current.dns_suffix
  # Not `name`, which is another attribute in the next major version of the provider.
  region = data.aws_region.current.id

  create_key   = var.kms_key_arn == ""
  create_store = var.store_bucket == ""
  lock_store   = var.store_lock_days != 0
  has_config   = var.config_bucket != "" && (var.rules_prefix != "" || var.routes_key != "")
  is_notified  = var.wiring == "BucketNotification"
  is_bridged   = var.wiring == "EventBridge"

  key_arn         = local.create_key ? aws_kms_key.this[0].arn : var.kms_key_arn
  store_bucket    = local.create_store ? aws_s3_bucket.store[0].id : var.store_bucket
  store_arn       = "arn:${local.partition}:s3:::${local.store_bucket}"
  alert_topic_arn = var.alert_topic_arn == "" ? aws_sns_topic.alerts[0].arn : var.alert_topic_arn
  alarm_topic_arn = var.alarm_topic_arn == "" ? aws_sns_topic.alarms[0].arn : var.alarm_topic_arn
  rules           = var.rules_prefix == "" ? "" : "s3://${var.config_bucket}/${var.rules_prefix}"
  routes          = var.routes_key == "" ? "" : "s3://${var.config_bucket}/${var.routes_key}"

  session_bucket_arn = "arn:${local.partition}:s3:::${var.session_bucket}"
  trail_bucket_arn   = "arn:${local.partition}:s3:::${var.trail_bucket}"
  named_bucket_arns = concat(
    var.session_bucket == "" ? [] : [local.session_bucket_arn],
    var.trail_bucket == "" ? [] : [local.trail_bucket_arn],
  )
  log_bucket_accounts = length(var.log_bucket_accounts) == 0 ? [local.account] : var.log_bucket_accounts

  # Two shapes, which a conditional cannot have: so as text.
  any_key      = jsonencode([{ exists = true }])
  session_keys = jsondecode(var.session_prefix == "" ? local.any_key : jsonencode([{ prefix = var.session_prefix }]))
  trail_keys   = jsondecode(var.trail_prefix == "" ? local.any_key : jsonencode([{ prefix = var.trail_prefix }]))

  # By name, where things would otherwise wait for one another.
  rule_arns  = "arn:${local.partition}:events:${local.region}:${local.account}:rule/${var.name}-*"
  alarm_arns = "arn:${local.partition}:cloudwatch:${local.region}:${local.account}:alarm:${var.name}-*"
}

# ── The key ─────────────────────────────────────────────────────────────────────────────────────────────────────────

# A key of one's own: CloudWatch alarms cannot publish to a topic under the key that AWS manages. The store cannot be
# read without it, so it must not go before the store does.
resource "aws_kms_key" "this" {
  count = local.create_key ? 1 : 0

  description         = "${var.name}: topics and store of ssm-audit"
  enable_key_rotation = true
  policy              = data.aws_iam_policy_document.key.json
  tags                = var.tags

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_kms_alias" "this" {
  count = local.create_key ? 1 : 0

  name          = "alias/${var.name}"
  target_key_id = aws_kms_key.this[0].key_id
}

# ── The store ───────────────────────────────────────────────────────────────────────────────────────────────────────

resource "aws_s3_bucket" "store" {
  count = local.create_store ? 1 : 0

  bucket_prefix       = "${var.name}-store-"
  object_lock_enabled = local.lock_store
  tags                = var.tags

  # It is the evidence. Who removes the module may not mean to remove that.
  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_s3_bucket_versioning" "store" {
  count = local.create_store ? 1 : 0

  bucket = aws_s3_bucket.store[0].id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "store" {
  count = local.create_store ? 1 : 0

  bucket = aws_s3_bucket.store[0].id

  rule {
    bucket_key_enabled = true

    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = local.key_arn
    }
  }
}

resource "aws_s3_bucket_public_access_block" "store" {
  count = local.create_store ? 1 : 0

  bucket                  = aws_s3_bucket.store[0].id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "store" {
  count = local.create_store ? 1 : 0

  bucket = aws_s3_bucket.store[0].id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_object_lock_configuration" "store" {
  count = local.create_store && local.lock_store ? 1 : 0

  bucket = aws_s3_bucket.store[0].id

  rule {
    default_retention {
      mode = var.store_lock_mode
      days = var.store_lock_days
    }
  }

  depends_on = [aws_s3_bucket_versioning.store]
}

resource "aws_s3_bucket_policy" "store" {
  count = local.create_store ? 1 : 0

  bucket = aws_s3_bucket.store[0].id
  policy = data.aws_iam_policy_document.store_bucket[0].json

  depends_on = [aws_s3_bucket_public_access_block.store]
}

# ── Queues ──────────────────────────────────────────────────────────────────────────────────────────────────────────

# Messages hold names of objects and API calls, no contents: SQS's own encryption does. It needs no key policy for S3.
resource "aws_sqs_queue" "ingest" {
  name                    = "${var.name}-ingest"
  sqs_managed_sse_enabled = true
  # Six times the function's timeout, as Lambda asks for: a message that is being worked on must not come again.
  visibility_timeout_seconds = 1080
  message_retention_seconds  = 1209600
  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead_letters.arn
    maxReceiveCount     = 5
  })
  tags = var.tags
}

# Only what came through the ingest queue, so that a redrive is always right.
resource "aws_sqs_queue" "dead_letters" {
  name                      = "${var.name}-dead-letters"
  sqs_managed_sse_enabled   = true
  message_retention_seconds = 1209600
  tags                      = var.tags
}

resource "aws_sqs_queue_redrive_allow_policy" "dead_letters" {
  queue_url = aws_sqs_queue.dead_letters.id
  redrive_allow_policy = jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = [aws_sqs_queue.ingest.arn]
  })
}

# What was invoked directly and failed to the end: API calls, log batches, sweeps, reports, compactions. Such messages
# are not those of the other queue and must not be moved there.
resource "aws_sqs_queue" "failed_invocations" {
  name                      = "${var.name}-failed-invocations"
  sqs_managed_sse_enabled   = true
  message_retention_seconds = 1209600
  tags                      = var.tags
}

resource "aws_sqs_queue_policy" "ingest" {
  queue_url = aws_sqs_queue.ingest.id
  policy    = data.aws_iam_policy_document.ingest_queue.json
}

resource "aws_sqs_queue_policy" "dead_letters" {
  queue_url = aws_sqs_queue.dead_letters.id
  policy    = data.aws_iam_policy_document.dead_letters.json
}

resource "aws_sqs_queue_policy" "failed_invocations" {
  queue_url = aws_sqs_queue.failed_invocations.id
  policy    = data.aws_iam_policy_document.failed_invocations.json
}

# ── Topics ──────────────────────────────────────────────────────────────────────────────────────────────────────────

# Alerts carry evidence. Alarms are for other people: those who run the pipeline, who need not see what it finds.
resource "aws_sns_topic" "alerts" {
  count = var.alert_topic_arn == "" ? 1 : 0

  name              = "${var.name}-alerts"
  display_name      = "ssm-audit"
  kms_master_key_id = local.key_arn
  tags              = var.tags
}

resource "aws_sns_topic" "alarms" {
  count = var.alarm_topic_arn == "" ? 1 : 0

  name              = "${var.name}-alarms"
  display_name      = "ssm-audit pipeline"
  kms_master_key_id = local.key_arn
  tags              = var.tags
}

resource "aws_sns_topic_policy" "alerts" {
  count = var.alert_topic_arn == "" ? 1 : 0

  arn    = aws_sns_topic.alerts[0].arn
  policy = data.aws_iam_policy_document.alert_topic[0].json
}

resource "aws_sns_topic_policy" "alarms" {
  count = var.alarm_topic_arn == "" ? 1 : 0

  arn    = aws_sns_topic.alarms[0].arn
  policy = data.aws_iam_policy_document.alarm_topic[0].json
}

resource "aws_sns_topic_subscription" "alerts" {
  count = var.alert_email == "" ? 0 : 1

  topic_arn = local.alert_topic_arn
  protocol  = "email"
  endpoint  = var.alert_email
}

resource "aws_sns_topic_subscription" "alarms" {
  count = var.alarm_email == "" ? 0 : 1

  topic_arn = local.alarm_topic_arn
  protocol  = "email"
  endpoint  = var.alarm_email
}

# ── Functions ───────────────────────────────────────────────────────────────────────────────────────────────────────

resource "aws_cloudwatch_log_group" "ingest" {
  name              = "/aws/lambda/${var.name}-ingest"
  retention_in_days = var.log_retention_days
  tags              = var.tags
}

resource "aws_cloudwatch_log_group" "sweep" {
  name              = "/aws/lambda/${var.name}-sweep"
  retention_in_days = var.log_retention_days
  tags              = var.tags
}

resource "aws_cloudwatch_log_group" "report" {
  name              = "/aws/lambda/${var.name}-report"
  retention_in_days = var.log_retention_days
  tags              = var.tags
}

resource "aws_cloudwatch_log_group" "compact" {
  count = var.compact ? 1 : 0

  name              = "/aws/lambda/${var.name}-compact"
  retention_in_days = var.log_retention_days
  tags              = var.tags
}

resource "aws_lambda_function" "ingest" {
  function_name    = "${var.name}-ingest"
  description      = "Log objects, log batches and API calls become facts; what they show by themselves is told at once"
  role             = aws_iam_role.ingest.arn
  runtime          = "provided.al2023"
  handler          = "bootstrap"
  architectures    = [var.architecture]
  filename         = var.package_path
  source_code_hash = filebase64sha256(var.package_path)
  memory_size      = var.ingest_memory
  timeout          = 180
  tags             = var.tags

  tracing_config {
    mode = "Active"
  }

  logging_config {
    log_format = "Text"
    log_group  = aws_cloudwatch_log_group.ingest.name
  }

  # What is empty is left out: the binary then takes its own default.
  environment {
    variables = { for name, value in {
      SSM_AUDIT_STORE = "s3://${local.store_bucket}/${var.store_prefix}"
      SSM_AUDIT_RULES = local.rules
      # The topic is short for routes, so not beside them.
      SSM_AUDIT_ROUTES             = local.routes
      SSM_AUDIT_TOPIC_ARN          = local.routes == "" ? local.alert_topic_arn : ""
      SSM_AUDIT_TOPIC_LEVEL        = local.routes == "" ? var.topic_level : ""
      SSM_AUDIT_TOPIC_FORMAT       = local.routes == "" ? var.topic_format : ""
      SSM_AUDIT_OPERATOR_TOPIC_ARN = local.alarm_topic_arn
      SSM_AUDIT_MAX_INFLATED       = tostring(var.max_inflated_bytes)
      SSM_AUDIT_LOG                = var.log_level
      SSM_AUDIT_METRICS_NAMESPACE  = var.metrics_namespace
    } : name => value if value != "" }
  }

  depends_on = [
    aws_iam_role_policy.ingest,
    aws_iam_role_policy_attachment.ingest_store,
    aws_iam_role_policy_attachment.ingest_tell,
  ]
}

resource "aws_lambda_function" "sweep" {
  function_name    = "${var.name}-sweep"
  description      = "Sessions, missing recordings, correlations; alerts that have not arrived yet"
  role             = aws_iam_role.sweep.arn
  runtime          = "provided.al2023"
  handler          = "bootstrap"
  architectures    = [var.architecture]
  filename         = var.package_path
  source_code_hash = filebase64sha256(var.package_path)
  memory_size      = var.sweep_memory
  # As long as the pause between two, and one at a time. Two at once would do no harm; they would do the work twice.
  timeout                        = 300
  reserved_concurrent_executions = 1
  tags                           = var.tags

  # For SSM_AUDIT_CACHE, and as much again.
  ephemeral_storage {
    size = 1024
  }

  tracing_config {
    mode = "Active"
  }

  logging_config {
    log_format = "Text"
    log_group  = aws_cloudwatch_log_group.sweep.name
  }

  environment {
    variables = { for name, value in {
      SSM_AUDIT_STORE              = "s3://${local.store_bucket}/${var.store_prefix}"
      SSM_AUDIT_RULES              = local.rules
      SSM_AUDIT_ROUTES             = local.routes
      SSM_AUDIT_TOPIC_ARN          = local.routes == "" ? local.alert_topic_arn : ""
      SSM_AUDIT_TOPIC_LEVEL        = local.routes == "" ? var.topic_level : ""
      SSM_AUDIT_TOPIC_FORMAT       = local.routes == "" ? var.topic_format : ""
      SSM_AUDIT_OPERATOR_TOPIC_ARN = local.alarm_topic_arn
      SSM_AUDIT_GRACE              = var.grace
      SSM_AUDIT_SWEEP_SINCE        = var.sweep_since
      # Files of facts do not change: what one sweep has read the next one need not fetch from the bucket. In bytes.
      SSM_AUDIT_CACHE             = "536870912"
      SSM_AUDIT_LOG               = var.log_level
      SSM_AUDIT_METRICS_NAMESPACE = var.metrics_namespace
    } : name => value if value != "" }
  }

  depends_on = [
    aws_iam_role_policy.sweep,
    aws_iam_role_policy_attachment.sweep_store,
    aws_iam_role_policy_attachment.sweep_tell,
  ]
}

resource "aws_lambda_function" "report" {
  function_name    = "${var.name}-report"
  description      = "The month's access, findings, coverage and controls, with a manifest of hashes"
  role             = aws_iam_role.report.arn
  runtime          = "provided.al2023"
  handler          = "bootstrap"
  architectures    = [var.architecture]
  filename         = var.package_path
  source_code_hash = filebase64sha256(var.package_path)
  memory_size      = var.sweep_memory
  timeout          = 900
  tags             = var.tags

  # A report is written here before it goes to the bucket as a whole.
  ephemeral_storage {
    size = 4096
  }

  tracing_config {
    mode = "Active"
  }

  logging_config {
    log_format = "Text"
    log_group  = aws_cloudwatch_log_group.report.name
  }

  environment {
    variables = { for name, value in {
      SSM_AUDIT_STORE              = "s3://${local.store_bucket}/${var.store_prefix}"
      SSM_AUDIT_RULES              = local.rules
      SSM_AUDIT_OPERATOR_TOPIC_ARN = local.alarm_topic_arn
      SSM_AUDIT_GRACE              = var.grace
      SSM_AUDIT_TIMEZONE           = var.time_zone
      SSM_AUDIT_LOG                = var.log_level
      SSM_AUDIT_METRICS_NAMESPACE  = var.metrics_namespace
    } : name => value if value != "" }
  }

  depends_on = [aws_iam_role_policy.report, aws_iam_role_policy_attachment.report_store]
}

resource "aws_lambda_function" "compact" {
  count = var.compact ? 1 : 0

  function_name    = "${var.name}-compact"
  description      = "Many small files of facts become few with the same rows; what they replaced goes an hour later"
  role             = aws_iam_role.compact[0].arn
  runtime          = "provided.al2023"
  handler          = "bootstrap"
  architectures    = [var.architecture]
  filename         = var.package_path
  source_code_hash = filebase64sha256(var.package_path)
  memory_size      = var.sweep_memory
  # What is not done by then the next one does. One at a time: a second would leave the first one's days alone.
  timeout                        = 900
  reserved_concurrent_executions = 1
  tags                           = var.tags

  tracing_config {
    mode = "Active"
  }

  logging_config {
    log_format = "Text"
    log_group  = aws_cloudwatch_log_group.compact[0].name
  }

  environment {
    variables = { for name, value in {
      SSM_AUDIT_STORE = "s3://${local.store_bucket}/${var.store_prefix}"
      # What a sweep reads, and a day.
      SSM_AUDIT_SWEEP_SINCE       = var.sweep_since
      SSM_AUDIT_LOG               = var.log_level
      SSM_AUDIT_METRICS_NAMESPACE = var.metrics_namespace
    } : name => value if value != "" }
  }

  depends_on = [aws_iam_role_policy.compact, aws_iam_role_policy_attachment.compact_store]
}

resource "aws_lambda_event_source_mapping" "ingest" {
  function_name    = aws_lambda_function.ingest.arn
  event_source_arn = aws_sqs_queue.ingest.arn
  batch_size       = 10
  # One object that cannot be read must not bring nine others back.
  function_response_types = ["ReportBatchItemFailures"]

  # Here and not as reserved concurrency: a message that is throttled would count as received.
  scaling_config {
    maximum_concurrency = var.ingest_concurrency
  }
}

# For what comes directly: API calls and log batches. The queue has its own.
resource "aws_lambda_function_event_invoke_config" "ingest" {
  function_name                = aws_lambda_function.ingest.function_name
  maximum_retry_attempts       = 2
  maximum_event_age_in_seconds = 21600

  destination_config {
    on_failure {
      destination = aws_sqs_queue.failed_invocations.arn
    }
  }
}

resource "aws_lambda_function_event_invoke_config" "sweep" {
  function_name          = aws_lambda_function.sweep.function_name
  maximum_retry_attempts = 2
  # Later the next sweep does it anyway.
  maximum_event_age_in_seconds = 900

  destination_config {
    on_failure {
      destination = aws_sqs_queue.failed_invocations.arn
    }
  }
}

resource "aws_lambda_function_event_invoke_config" "report" {
  function_name                = aws_lambda_function.report.function_name
  maximum_retry_attempts       = 2
  maximum_event_age_in_seconds = 21600

  destination_config {
    on_failure {
      destination = aws_sqs_queue.failed_invocations.arn
    }
  }
}

resource "aws_lambda_function_event_invoke_config" "compact" {
  count = var.compact ? 1 : 0

  function_name          = aws_lambda_function.compact[0].function_name
  maximum_retry_attempts = 2
  # Later the next one does it anyway.
  maximum_event_age_in_seconds = 3600

  destination_config {
    on_failure {
      destination = aws_sqs_queue.failed_invocations.arn
    }
  }
}

# ── By the clock ────────────────────────────────────────────────────────────────────────────────────────────────────

resource "aws_scheduler_schedule_group" "this" {
  name = var.name
  tags = var.tags
}

resource "aws_scheduler_schedule" "sweep" {
  name                = "${var.name}-sweep"
  group_name          = aws_scheduler_schedule_group.this.name
  schedule_expression = "rate(5 minutes)"

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = aws_lambda_function.sweep.arn
    role_arn = aws_iam_role.scheduler.arn
    input    = "{\"task\":\"sweep\"}"

    retry_policy {
      maximum_retry_attempts       = 2
      maximum_event_age_in_seconds = 300
    }

    dead_letter_config {
      arn = aws_sqs_queue.failed_invocations.arn
    }
  }

  depends_on = [aws_iam_role_policy.scheduler]
}

resource "aws_scheduler_schedule" "report" {
  name       = "${var.name}-report"
  group_name = aws_scheduler_schedule_group.this.name
  # Two days after the month a session's end and its transcript have come.
  schedule_expression          = "cron(0 6 3 * ? *)"
  schedule_expression_timezone = var.time_zone

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = aws_lambda_function.report.arn
    role_arn = aws_iam_role.scheduler.arn
    input    = "{\"task\":\"report\",\"period\":\"last-month\"}"

    retry_policy {
      maximum_retry_attempts       = 10
      maximum_event_age_in_seconds = 21600
    }

    dead_letter_config {
      arn = aws_sqs_queue.failed_invocations.arn
    }
  }

  depends_on = [aws_iam_role_policy.scheduler]
}

resource "aws_scheduler_schedule" "compact" {
  count = var.compact ? 1 : 0

  name                = "${var.name}-compact"
  group_name          = aws_scheduler_schedule_group.this.name
  schedule_expression = "rate(1 hour)"

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = aws_lambda_function.compact[0].arn
    role_arn = aws_iam_role.scheduler.arn
    input    = "{\"task\":\"compact\"}"

    retry_policy {
      maximum_retry_attempts       = 2
      maximum_event_age_in_seconds = 3600
    }

    dead_letter_config {
      arn = aws_sqs_queue.failed_invocations.arn
    }
  }

  depends_on = [aws_iam_role_policy.scheduler]
}

# ── By EventBridge ──────────────────────────────────────────────────────────────────────────────────────────────────

# New objects, where the buckets tell EventBridge. They go through the queue: a burst then waits, and is not lost.
resource "aws_cloudwatch_event_rule" "session_objects" {
  count = local.is_bridged && var.session_bucket != "" ? 1 : 0

  name        = "${var.name}-session-objects"
  description = "New transcripts"
  tags        = var.tags
  event_pattern = jsonencode({
    source      = ["aws.s3"]
    detail-type = ["Object Created"]
    resources   = [local.session_bucket_arn]
    detail = {
      object = { key = local.session_keys }
    }
  })
}

resource "aws_cloudwatch_event_rule" "trail_objects" {
  count = local.is_bridged && var.trail_bucket != "" ? 1 : 0

  name        = "${var.name}-trail-objects"
  description = "New CloudTrail files"
  tags        = var.tags
  event_pattern = jsonencode({
    source      = ["aws.s3"]
    detail-type = ["Object Created"]
    resources   = [local.trail_bucket_arn]
    detail = {
      object = { key = local.trail_keys }
    }
  })
}

resource "aws_cloudwatch_event_rule" "other_objects" {
  count = local.is_bridged && length(var.other_log_bucket_arns) > 0 ? 1 : 0

  name        = "${var.name}-other-objects"
  description = "New objects in the other log buckets"
  tags        = var.tags
  event_pattern = jsonencode({
    source      = ["aws.s3"]
    detail-type = ["Object Created"]
    resources   = var.other_log_bucket_arns
  })
}

resource "aws_cloudwatch_event_target" "session_objects" {
  count = length(aws_cloudwatch_event_rule.session_objects)

  rule      = aws_cloudwatch_event_rule.session_objects[0].name
  target_id = "queue"
  arn       = aws_sqs_queue.ingest.arn

  dead_letter_config {
    arn = aws_sqs_queue.failed_invocations.arn
  }
}

resource "aws_cloudwatch_event_target" "trail_objects" {
  count = length(aws_cloudwatch_event_rule.trail_objects)

  rule      = aws_cloudwatch_event_rule.trail_objects[0].name
  target_id = "queue"
  arn       = aws_sqs_queue.ingest.arn

  dead_letter_config {
    arn = aws_sqs_queue.failed_invocations.arn
  }
}

resource "aws_cloudwatch_event_target" "other_objects" {
  count = length(aws_cloudwatch_event_rule.other_objects)

  rule      = aws_cloudwatch_event_rule.other_objects[0].name
  target_id = "queue"
  arn       = aws_sqs_queue.ingest.arn

  dead_letter_config {
    arn = aws_sqs_queue.failed_invocations.arn
  }
}

# Seconds after the call, where the trail's file takes minutes. The file brings the same event with the same id, so it
# is told once. Calls that only read do not come this way; the file has them. Global services call from us-east-1.
resource "aws_cloudwatch_event_rule" "api_calls" {
  count = var.live_events ? 1 : 0

  name        = "${var.name}-api-calls"
  description = "Sessions opened and audit trails touched, as they happen"
  tags        = var.tags
  event_pattern = jsonencode({
    # Only AWS can name such a source. Without it anybody in the account who may put events could make up API calls.
    source      = [{ prefix = "aws." }]
    detail-type = ["AWS API Call via CloudTrail"]
    detail = {
      # Athena has a StartSession too.
      eventSource = [
        "ssm.amazonaws.com",
        "ssm-guiconnect.amazonaws.com",
        "ecs.amazonaws.com",
        "ec2-instance-connect.amazonaws.com",
        "cloudtrail.amazonaws.com",
        "logs.amazonaws.com",
        "kms.amazonaws.com",
        "s3.amazonaws.com",
      ]
      # At most 2,048 characters in all, so no name that a rule does not ask for.
      eventName = [
        # doors to a node
        "StartSession",
        "ResumeSession",
        "TerminateSession",
        "ExecuteCommand",
        "SendCommand",
        "StartAutomationExecution",
        "StartConnection",
        "SendSSHPublicKey",
        "SendSerialConsoleSSHPublicKey",
        "OpenTunnel",
        "CreateActivation",
        "GetAccessToken",
        # what sessions are and where they are recorded
        "CreateDocument",
        "UpdateDocument",
        "UpdateDocumentDefaultVersion",
        "DeleteDocument",
        "ModifyDocumentPermission",
        "UpdateServiceSetting",
        "ResetServiceSetting",
        "UpdateCluster",
        # the trail, its buckets, log groups and keys
        "StopLogging",
        "DeleteTrail",
        "UpdateTrail",
        "PutEventSelectors",
        "PutInsightSelectors",
        "UpdateEventDataStore",
        "DeleteEventDataStore",
        "StopEventDataStoreIngestion",
        "DeleteLogGroup",
        "DeleteLogStream",
        "DeleteSubscriptionFilter",
        "PutRetentionPolicy",
        "DisassociateKmsKey",
        "ScheduleKeyDeletion",
        "DisableKey",
        "PutKeyPolicy",
        "DeleteBucket",
        "PutBucketPolicy",
        "DeleteBucketPolicy",
        "PutBucketAcl",
        "PutBucketLifecycle",
        "PutBucketVersioning",
        "PutBucketNotification",
        "PutBucketReplication",
        "DeleteBucketReplication",
        "PutBucketEncryption",
        "DeleteBucketEncryption",
        "PutBucketPublicAccessBlock",
        "DeleteBucketPublicAccessBlock",
        "PutBucketObjectLockConfiguration",
      ]
    }
  })
}

# Other accounts' rules send what they saw. Of all that may come this way the rule above takes only what AWS wrote.
resource "aws_cloudwatch_event_permission" "organization" {
  count = var.organization_id == "" ? 0 : 1

  event_bus_name = "default"
  statement_id   = "${var.name}-organization"
  principal      = "*"
  action         = "events:PutEvents"

  # Accounts of the organization, whichever join or leave it.
  condition {
    type  = "StringEquals"
    key   = "aws:PrincipalOrgID"
    value = var.organization_id
  }
}

resource "aws_cloudwatch_event_target" "api_calls" {
  count = length(aws_cloudwatch_event_rule.api_calls)

  rule      = aws_cloudwatch_event_rule.api_calls[0].name
  target_id = "ingest"
  arn       = aws_lambda_function.ingest.arn

  dead_letter_config {
    arn = aws_sqs_queue.failed_invocations.arn
  }
}

resource "aws_lambda_permission" "api_calls" {
  count = length(aws_cloudwatch_event_rule.api_calls)

  function_name = aws_lambda_function.ingest.function_name
  action        = "lambda:InvokeFunction"
  principal     = "events.amazonaws.com"
  source_arn    = aws_cloudwatch_event_rule.api_calls[0].arn
}

# ── By CloudWatch Logs ──────────────────────────────────────────────────────────────────────────────────────────────

resource "aws_cloudwatch_log_subscription_filter" "sessions" {
  count = var.session_log_group == "" ? 0 : 1

  name            = "${var.name}-sessions"
  log_group_name  = var.session_log_group
  filter_pattern  = ""
  destination_arn = aws_lambda_function.ingest.arn

  depends_on = [aws_lambda_permission.session_stream]
}

resource "aws_lambda_permission" "session_stream" {
  count = var.session_log_group == "" ? 0 : 1

  function_name  = aws_lambda_function.ingest.function_name
  action         = "lambda:InvokeFunction"
  principal      = "logs.amazonaws.com"
  source_account = local.account
  source_arn     = "arn:${local.partition}:logs:${local.region}:${local.account}:log-group:${var.session_log_group}:*"
}
