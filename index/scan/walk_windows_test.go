package scan

import "testing"

func makeFifo(t *testing.T, _ string) { t.Skip("no named pipes in directories") }
