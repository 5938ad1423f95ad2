// Package s3 is a blob.Bucket in an S3 bucket, or below a prefix of one. It is the only package that knows minio-go, and turns its errors into
// those of package blob. Every object is one PUT: no multipart upload, no chunked signing. It knows keys and bytes, not what is stored.
package s3
