package cell

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// readTime is a time as a format reads it, in UTC; "" where it is none.
func readTime(t *testing.T, format, text string) string {
	t.Helper()
	f, err := newTimeFormat(format)
	if err != nil {
		return err.Error()
	}
	day, sec, ns, ahead, ok := f.parse([]byte(text))
	if !ok {
		return ""
	}
	return time.Unix(day*daySeconds+sec-ahead, int64(ns)).UTC().Format("2006-01-02T15:04:05.999999999")
}

// TestTimeFormats has what Python 3.11 and OpenJDK 17 say of a format and a text.
func TestTimeFormats(t *testing.T) {
	for format, texts := range map[string]map[string]string{
		"%d.%m.%Y":             {"1.2.2024": "2024-02-01T00:00:00", "01.02.2024": "2024-02-01T00:00:00", " 1.2.2024": "2024-02-01T00:00:00", "30.2.2024": "", "1.2.24": "", "0.2.2024": "", "1.2.2024 ": "", "1.2.20240": ""},
		"%H:%M:%S":             {"10:00:00": "1900-01-01T10:00:00", "1:2:3": "1900-01-01T01:02:03", "10:00:00.123": "", "24:00:00": "", "10:60:00": "", "10:00:60": ""},
		"%S.%f":                {"00.1": "1900-01-01T00:00:00.1", "00.123456": "1900-01-01T00:00:00.123456", "00.1234567": "", "00.": ""},
		"%Y-%m-%dT%H:%M:%S%z":  {"2024-01-01T10:00:00Z": "2024-01-01T10:00:00", "2024-01-01t10:00:00+01:00": "2024-01-01T09:00:00", "2024-01-01T10:00:00-0530": "2024-01-01T15:30:00", "2024-01-01T10:00:00+01:00:30": "2024-01-01T08:59:30", "2024-01-01T10:00:00+0100:30": "", "2024-01-01T10:00:00z": "", "2024-01-01T10:00:00+01": "", "2024-01-01T10:00:00": ""},
		"%I:%M %p":             {"1:30 pm": "1900-01-01T13:30:00", "12:30 AM": "1900-01-01T00:30:00", "12:30 Pm": "1900-01-01T12:30:00", "13:30 PM": "", "0:30 AM": ""},
		"%I %M":                {"12 30": "1900-01-01T00:30:00", "12 \t 30": "1900-01-01T00:30:00", "1230": ""},
		"%Y-%j":                {"2024-366": "2024-12-31T00:00:00", "2023-366": "", "2024-60": "2024-02-29T00:00:00"},
		"%m%d%H%M":             {"1112": "1900-01-01T01:02:00", "111213": "1900-11-12T01:03:00", "11121314": "1900-11-12T13:14:00"},
		"%a, %d %b %Y %Z":      {"Mon, 1 feb 2024 utc": "2024-02-01T00:00:00", "Monday, 1 Feb 2024 UTC": "", "Mon, 1 Feb 2024 CET": ""},
		"%A %B %y%%":           {"FRIDAY may 69%": "1969-05-01T00:00:00", "Friday May 68%": "2068-05-01T00:00:00"},
		"%Y":                   {"0000": "", "0001": "0001-01-01T00:00:00", "9999": "9999-01-01T00:00:00"},
		"d/M/yyyy":             {"1/2/2024": "2024-02-01T00:00:00", "11/12/2024": "2024-12-11T00:00:00", "01/002/2024": "2024-02-01T00:00:00", "1/2/24": "", "1/2/02024": "", "31/4/2024": "", "d/M/2024": ""},
		"M/d/yy":               {"2/1/24": "2024-02-01T00:00:00", "2/1/99": "2099-02-01T00:00:00", "2/1/2024": ""},
		"yyyy-MM-dd h:mm a":    {"2024-01-01 1:30 PM": "2024-01-01T13:30:00", "2024-01-01 12:30 am": "2024-01-01T00:30:00", "2024-01-01 13:30 PM": ""},
		"H:mm":                 {"9:30": "1900-01-01T09:30:00", "19:30": "1900-01-01T19:30:00", "9:3": "", "24:00": ""},
		"HH:mm:ss.S":           {"10:00:00.1": "1900-01-01T10:00:00.1", "10:00:00.12": "", "10:00:00": ""},
		"HH:mm:ss.SSSSSSSSS":   {"10:00:00.123456789": "1900-01-01T10:00:00.123456789"},
		"HH:mm:ssX":            {"10:00:00Z": "1900-01-01T10:00:00", "10:00:00+01": "1900-01-01T09:00:00", "10:00:00+0130": "1900-01-01T08:30:00", "10:00:00+01:30": "", "10:00:00": ""},
		"HH:mm:ssXXX":          {"10:00:00Z": "1900-01-01T10:00:00", "10:00:00+01:00": "1900-01-01T09:00:00", "10:00:00+0100": "", "10:00:00+19:00": ""},
		"HH:mm:ssxxx":          {"10:00:00Z": "", "10:00:00-01:00": "1900-01-01T11:00:00"},
		"HH:mm:ssxx":           {"10:00:00-0100": "1900-01-01T11:00:00", "10:00:00-01": ""},
		"HH:mm:ssXXXXX":        {"10:00:00-01:00:01": "1900-01-01T11:00:01", "10:00:00-01:00": "1900-01-01T11:00:00"},
		"HH:mm:ssZ":            {"10:00:00-0100": "1900-01-01T11:00:00", "10:00:00Z": "1900-01-01T10:00:00", "10:00:00-01:00": ""},
		"yyyyMMddHHmmssSSS":    {"20240229123456789": "2024-02-29T12:34:56.789", "2024022912345678": ""},
		"Hmm":                  {"930": "1900-01-01T09:30:00", "1930": "1900-01-01T19:30:00", "30": ""},
		"ddMyyyy":              {"1012024": ""},
		"yyyy-DDD":             {"2024-366": "2024-12-31T00:00:00", "2023-366": "", "2024-60": ""},
		"EEE, d MMM uuuu":      {"Thu, 1 Feb 2024": "2024-02-01T00:00:00", "Fri, 1 Feb 2024": ""},
		"EEEE d MMMM yyyy":     {"Thursday 1 February 2024": "2024-02-01T00:00:00", "Thursday 1 Feb 2024": ""},
		"H 'o''clock'":         {"9 o'clock": "1900-01-01T09:00:00", "9 O'clock": ""},
		"yyyy-MM-ddTHH:mm":     {"2024-01-01T10:00": "2024-01-01T10:00:00", "2024-01-01t10:00": ""},
		"yyyy''MM":             {"2024'02": "2024-02-01T00:00:00"},
		"yyyy-MM-dd'T'HH:mm a": {"2024-01-01T10:00 AM": "2024-01-01T10:00:00", "2024-01-01T10:00 PM": ""},
	} {
		for text, want := range texts {
			if got := readTime(t, format, text); got != want {
				t.Errorf("%q reads %q as %q, want %q", format, text, got, want)
			}
		}
	}
	for format, want := range map[string]string{
		"%Q": "there is no %Q", "%Y-%": "ends in %", "%d %d": "the day twice", "%m %B": "the month twice", "%H %I": "the hour twice", "%% x": "nothing of a date", "%c": "there is no %c",
		"someday": "o is not supported", "YYYY-MM-dd": "YYYY is not supported", "yyyy-MM-ddd": "ddd is not supported", "yyyy-MM-dd[ HH:mm]": "not supported", "hh:mm": "no half (a)", "yyyy-MM-dd'T": "a quote is not closed",
		"HH:mm z": "z is not supported", "yyyyy": "yyyyy is not supported", "MMMMM": "MMMMM is not supported", "--": "nothing of a date", "SSSSSSSSSS": "not supported", "DDD d": "the day of the year, and", "": "nothing of a date",
	} {
		if _, err := newTimeFormat(format); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", format, err, want)
		}
	}
}

// TestTimeFormatsAsGo writes times as package time does.
func TestTimeFormatsAsGo(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, c := range [][3]string{
		{"%Y-%m-%d %H:%M:%S.%f%z", "yyyy-MM-dd HH:mm:ss.SSSSSSXXX", "2006-01-02 15:04:05.000000Z07:00"},
		{"%A, %d %B %Y %I:%M:%S.%f %p %z", "EEEE, d MMMM uuuu h:mm:ss.SSSSSS a Z", "Monday, 2 January 2006 3:04:05.000000 PM -0700"},
		{"%Y%m%d%H%M%S.%f%z", "yyyyMMddHHmmss.SSSSSSxx", "20060102150405.000000-0700"},
		{"%Y%j%H:%M:%S.%f%z", "uuuuDDDH:m:s.SSSSSSXX", "200600215:04:05.000000Z0700"},
	} {
		for range 2000 {
			at := time.Unix(r.Int64N(9998*365*86400)-62135596800+86400, r.Int64N(1e6)*1000).In(time.FixedZone("", (r.IntN(2*720)-720)*60))
			text, want := at.Format(c[2]), at.UTC().Format("2006-01-02T15:04:05.999999999")
			for _, format := range c[:2] {
				if got := readTime(t, format, text); got != want {
					t.Fatalf("%q reads %q as %q, want %q", format, text, got, want)
				}
			}
		}
	}
}

// FuzzTimeFormat: what is read is a time of the years that there are.
func FuzzTimeFormat(f *testing.F) {
	for _, s := range [][2]string{{"%d.%m.%Y", "1.2.2024"}, {"%Y%m%d%H%M%S%f%z", "20240102030405123456+01:00"}, {"dMyyyy", "1122024"}, {"EEE, d MMM yyyy h:mm a X", "Thu, 1 Feb 2024 1:00 PM Z"}, {"'o''clock' H", "o'clock 9"}, {"uuuuDDD", "2024060"}, {"%d", " 1"}, {"ssSSSSSS", "0112"}} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, format, text string) {
		c, err := newTimeFormat(format)
		if err != nil {
			return
		}
		day, sec, ns, ahead, ok := c.parse([]byte(text))
		if ok && (day < civil(1, 1, 1) || day > civil(9999, 12, 31) || sec < 0 || sec >= daySeconds || ns >= 1e9 || max(ahead, -ahead) >= daySeconds) {
			t.Errorf("%q reads %q as day %d, %d s, %d ns, %d s ahead", format, text, day, sec, ns, ahead)
		}
	})
}
