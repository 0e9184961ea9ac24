output "store_uri" {
  description = "The store, for `ssm-audit sessions --store` and the like"
  value       = "s3://${local.store_bucket}/${var.store_prefix}"
}

output "ingest_queue_arn" {
  description = "Where log buckets send their notifications"
  value       = aws_sqs_queue.ingest.arn
}

output "dead_letter_queue_arn" {
  description = "What ingest could not take"
  value       = aws_sqs_queue.dead_letters.arn
}

output "failed_invocations_url" {
  description = "What was invoked directly and failed"
  value       = aws_sqs_queue.failed_invocations.url
}

output "session_notification" {
  description = "Entry for QueueConfigurations of the bucket with transcripts, as JSON"
  value = !local.is_notified || var.session_bucket == "" ? null : jsonencode(merge(
    { Id = "${var.name}-sessions", QueueArn = aws_sqs_queue.ingest.arn, Events = ["s3:ObjectCreated:*"] },
    { for name, value in { Filter = { Key = { FilterRules = [{ Name = "prefix", Value = var.session_prefix }] } } } :
    name => value if var.session_prefix != "" },
  ))
}

output "trail_notification" {
  description = "Entry for QueueConfigurations of the trail's bucket, as JSON"
  value = !local.is_notified || var.trail_bucket == "" ? null : jsonencode(merge(
    { Id = "${var.name}-trail", QueueArn = aws_sqs_queue.ingest.arn, Events = ["s3:ObjectCreated:*"] },
    { for name, value in { Filter = { Key = { FilterRules = [{ Name = "prefix", Value = var.trail_prefix }] } } } :
    name => value if var.trail_prefix != "" },
  ))
}

output "alert_topic_arn" {
  description = "What was found"
  value       = local.alert_topic_arn
}

output "alarm_topic_arn" {
  description = "What is wrong with the pipeline"
  value       = local.alarm_topic_arn
}

output "kms_key_arn" {
  description = "Key of what was made here"
  value       = local.key_arn
}

output "ingest_function_name" {
  description = "Ingest"
  value       = aws_lambda_function.ingest.function_name
}

output "sweep_function_name" {
  description = "Sweep"
  value       = aws_lambda_function.sweep.function_name
}

output "report_function_name" {
  description = "Report"
  value       = aws_lambda_function.report.function_name
}

output "compact_function_name" {
  description = "Compact, if it is on"
  value       = one(aws_lambda_function.compact[*].function_name)
}

output "ingest_role_arn" {
  description = "Role that bucket and key policies of other accounts have to let in"
  value       = aws_iam_role.ingest.arn
}

output "sweep_role_arn" {
  description = "Role that a respond role in another account has to trust, with that of ingest"
  value       = aws_iam_role.sweep.arn
}
