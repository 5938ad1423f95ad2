// Package credentials finds the keys that sign requests to S3, in the places and the order that users of AWS expect: environment, shared
// configuration and credentials files with their profiles, commands, single sign-on, web identity, containers, EC2. It reads no environment
// of its own, and knows nothing of S3. No error and no string of it has a secret.
package credentials
