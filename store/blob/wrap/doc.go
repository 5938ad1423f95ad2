// Package wrap puts one concern each around a blob.Bucket: Retry, Limit, Meter, and for tests Fault. It knows the contract of a bucket
// and nothing of any kind of bucket, nor (but for Fault's invariants) of what is stored.
//
// The order matters: NewMeter(NewRetry(bucket)) counts what was asked for; NewRetry(NewMeter(bucket)) counts what was sent.
package wrap
