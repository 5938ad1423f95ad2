// Package s3test runs real S3 servers for tests, on loopback, behind a proxy that counts requests and does harm on demand. The servers are
// tools of modules of their own below testdata, so that tarn itself does not depend on them. It knows HTTP and nothing of tarn.
package s3test
