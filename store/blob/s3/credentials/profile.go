package credentials

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"
)

// fromProfile gets the keys of a profile: its own, or those of the role that it says to assume with the keys of another. below are the profiles that lead here.
func (c *Chain) fromProfile(ctx context.Context, name string, below []string) (Keys, error) {
	p, ok := c.files.profiles[name]
	if !ok {
		return Keys{}, c.noProfile(name, len(below) > 0)
	}
	role := assume{role: p["role_arn"], session: p["role_session_name"], external: p["external_id"], region: p["region"]}
	if s, err := strconv.Atoi(p["duration_seconds"]); err == nil {
		role.duration = time.Duration(s) * time.Second
	}
	if role.role == "" {
		return c.ownKeys(ctx, name, p)
	}
	if file := p["web_identity_token_file"]; file != "" {
		return c.assumeWithToken(ctx, file, role)
	}
	if p["mfa_serial"] != "" {
		return Keys{}, failed("its role %s asks for a code of a device (mfa_serial), which tarn does not do; credential_process can", printable(role.role))
	}
	base, err := c.base(ctx, name, p, below)
	if err != nil {
		return Keys{}, err
	}
	return c.assume(ctx, base, role)
}

func (c *Chain) noProfile(name string, needed bool) error {
	why := "it is in neither " + c.files.config + " nor " + c.files.credentials
	if needed || c.o.Profile != "" || name != "default" {
		return failed("%s", why) // somebody named it
	}
	return none("%s", why)
}

// base are the keys with which the role of a profile is assumed.
func (c *Chain) base(ctx context.Context, name string, p section, below []string) (Keys, error) {
	source := p["source_profile"]
	switch {
	case source == name:
		k, err := c.ownKeys(ctx, name, p)
		return k, needed(err)
	case source != "" && (slices.Contains(below, source) || len(below) > 8):
		return Keys{}, failed("source_profile leads around in a circle: %s", strings.Join(append(below, name, source), ", "))
	case source != "":
		k, err := c.fromProfile(ctx, source, append(below, name))
		return k, within("source_profile "+quote(source), needed(err))
	}
	var k Keys
	var err error
	switch where := p["credential_source"]; where {
	case "Environment":
		k, err = c.fromEnv(ctx)
	case "Ec2InstanceMetadata":
		k, err = c.fromEC2(ctx)
	case "EcsContainer":
		k, err = c.fromContainer(ctx)
	case "":
		return k, failed("it has a role_arn, and neither source_profile nor credential_source nor web_identity_token_file")
	default:
		return k, failed("credential_source %s is none of Environment, Ec2InstanceMetadata, EcsContainer", quote(where))
	}
	return k, within("credential_source "+p["credential_source"], needed(err))
}

// ownKeys are those of a profile without a role.
func (c *Chain) ownKeys(ctx context.Context, name string, p section) (Keys, error) {
	id, secret := p["aws_access_key_id"], p["aws_secret_access_key"]
	switch {
	case id != "" && secret != "":
		return Keys{ID: id, Secret: secret, Token: p["aws_session_token"]}, nil
	case id != "" || secret != "":
		return Keys{}, failed("it has only one of aws_access_key_id and aws_secret_access_key")
	case p["sso_account_id"] != "" || p["sso_role_name"] != "":
		return c.fromSSO(ctx, name, p)
	case p["credential_process"] != "":
		return c.fromProcess(ctx, p["credential_process"])
	}
	return Keys{}, none("it has no keys")
}
