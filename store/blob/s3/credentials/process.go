package credentials

import (
	"context"
	"encoding/json"
	"os/exec"
	"runtime"
	"time"
)

// processMost bounds how long a command may take to print keys.
const processMost = time.Minute

// fromProcess runs a command that prints keys: https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html. What it prints
// is never shown, for it may be a secret.
func (c *Chain) fromProcess(ctx context.Context, command string) (Keys, error) {
	ctx, cancel := context.WithTimeout(ctx, processMost)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", command)
	if runtime.GOOS == "windows" {
		cmd = exec.CommandContext(ctx, "cmd.exe", "/C", command)
	}
	cmd.Env, cmd.WaitDelay = c.o.Environ, time.Second
	out, err := cmd.Output()
	if err != nil {
		return Keys{}, failed("its credential_process failed: %v; run it by hand to see why", err)
	}
	var v struct {
		Version                                    int
		AccessKeyId, SecretAccessKey, SessionToken string
		Expiration                                 string
	}
	if json.Unmarshal(out, &v) != nil {
		return Keys{}, failed("its credential_process printed no JSON document")
	}
	if v.Version != 1 {
		return Keys{}, failed("its credential_process printed version %d, not 1", v.Version)
	}
	return made(v.AccessKeyId, v.SecretAccessKey, v.SessionToken, v.Expiration, "its credential_process")
}

// made checks keys that somebody gave out. expires is in the form of RFC 3339; empty: never.
func made(id, secret, token, expires, by string) (Keys, error) {
	if id == "" || secret == "" {
		return Keys{}, failed("%s gave no keys", by)
	}
	k := Keys{ID: id, Secret: secret, Token: token}
	if expires == "" {
		return k, nil
	}
	t, err := time.Parse(time.RFC3339, expires)
	if err != nil {
		return Keys{}, failed("%s gave keys with an expiry that is no time", by)
	}
	if k.Expires = t; time.Now().After(t) {
		return Keys{}, failed("%s gave keys that have expired at %s", by, t.Format(time.RFC3339))
	}
	return k, nil
}
