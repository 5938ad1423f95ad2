package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"golang.org/x/sync/errgroup"

	"tarn/store/blob/s3/s3test"
)

// bucket is that of all experiments; each has a prefix of its own.
const bucket = "bench"

// delay is what the slow way to the server adds to each request.
const delay = 20 * time.Millisecond

// serve starts the S3 server, and says in the environment of all scripts where it is.
func serve(ctx context.Context) (*s3test.Server, error) {
	s, err := s3test.Start(ctx, s3test.Versity)
	if err != nil {
		return nil, err
	}
	if err := s.MakeBucket(bucket); err != nil {
		s.Close()
		return nil, err
	}
	s.Proxy.Plan(func(int, *http.Request) s3test.Harm { return s3test.Harm{Delay: delay} })
	for k, v := range map[string]string{
		"S3": s.Direct, "S3SLOW": s.URL, "AWS_ACCESS_KEY_ID": s.AccessKey, "AWS_SECRET_ACCESS_KEY": s.SecretKey, "AWS_REGION": s3test.Region, "AWS_DEFAULT_REGION": s3test.Region,
		"RESTIC_PASSWORD": "bench", "RCLONE_CONFIG_BENCH_TYPE": "s3", "RCLONE_CONFIG_BENCH_PROVIDER": "Other", "RCLONE_CONFIG_BENCH_ENV_AUTH": "true", "RCLONE_CONFIG_BENCH_ENDPOINT": s.Direct,
	} {
		os.Setenv(k, v)
	}
	os.Unsetenv("AWS_CA_BUNDLE") // rclone can't have one beside its own transport, and loopback needs none
	return s, nil
}

// In these scripts $KEY is a name for the directory that they run in, and $UP for the one above.
const (
	tarnRemote = ` && $TARN remote add -q origin s3://bench/$KEY --endpoint $S3`
	slowRemote = ` && $TARN remote add -q origin s3://bench/$KEY --endpoint $S3SLOW`
	dvcRemote  = ` && $DVC remote add -q -d s3 s3://bench/$KEY && $DVC remote modify -q s3 endpointurl $S3`
	resticInit = ` && export RESTIC_REPOSITORY=s3:$S3/bench/$KEY && restic init -q`
	rcloneSync = `rclone sync --fast-list --transfers 32 --checkers 32 `
	tarnPushed = tarnRepo + copyData + tarnRemote + ` && $TARN add -q data && $TARN push -q` + commit
	dvcPushed  = dvcRepo + copyData + dvcRemote + ` && $DVC add -q data && $DVC push -q` + commit
)

var (
	tarnPush   = contestant{name: "tarn", each: tarnRepo + copyData + tarnRemote + ` && $TARN add -q data`, run: `$TARN push -q`}
	tarnPull   = contestant{name: "tarn", once: tarnPushed, each: `git clone -q .. clone`, run: `cd clone && $TARN pull -q`}
	resticPush = contestant{name: "restic", each: `cp -r $DATA data` + resticInit, run: `RESTIC_REPOSITORY=s3:$S3/bench/$KEY restic backup -q data`}
	resticPull = contestant{name: "restic", once: `cp -r $DATA data` + resticInit + ` && restic backup -q data`, run: `RESTIC_REPOSITORY=s3:$S3/bench/$UP restic restore -q latest --target .`}
	rclonePush = contestant{name: "rclone", run: rcloneSync + `$DATA bench:bench/$KEY`}
	rclonePull = contestant{name: "rclone", once: rcloneSync + `$DATA bench:bench/$KEY`, run: rcloneSync + `bench:bench/$UP data`}
	dvcPush    = contestant{name: "dvc", each: dvcRepo + copyData + dvcRemote + ` && $DVC add -q data`, run: `$DVC push -q`, rounds: 1}
	dvcPull    = contestant{name: "dvc", once: dvcPushed, each: `git clone -q .. clone`, run: `cd clone && $DVC pull -q`, rounds: 1}
)

// tableChanged pushes the table and changes it; sent then pushes, and prints how many bytes that sent, and of how many.
var tableChanged = tarnPush.each + ` && $TARN push -q && $BENCH -mutate-table data/0000/0000000.csv && $TARN add -q data`

const sent = ` && $TARN push --json | grep -o '"bytes_transferred":[0-9]*' | cut -d: -f2 && stat -c %s data/0000/0000000.csv`

// network has the experiments with a remote.
var network = []experiment{
	{
		id: "s3-add-push", title: "`add` and `push` 20,000 small files", load: &few,
		contestants: []contestant{
			{name: "tarn", each: tarnRepo + copyData + tarnRemote, run: `$TARN add -q data && $TARN push -q`},
			{name: "dvc", each: dvcRepo + copyData + dvcRemote, run: `$DVC add -q data && $DVC push -q`, rounds: 1},
		},
		targets: []target{{peer: "dvc", most: 1.0 / 25}},
	},
	{id: "s3-push", title: "`push` alone", load: &few, contestants: []contestant{tarnPush, resticPush}, targets: []target{{peer: "restic", most: 1 / 1.5}}},
	{id: "s3-pull", title: "`pull` them into a fresh clone", load: &few, contestants: []contestant{tarnPull, resticPull, dvcPull}, targets: []target{{peer: "dvc", most: 1.0 / 25}, {peer: "restic", most: 1 / 1.2}}},
	{id: "s3-push-images", title: "`push` 10,000 × 100 KB", load: &images, contestants: []contestant{tarnPush, resticPush, dvcPush}, targets: []target{{peer: "dvc", most: 1.0 / 5}, {peer: "restic", most: 1 / 1.5}}},
	{id: "s3-pull-images", title: "`pull` them", load: &images, contestants: []contestant{tarnPull, resticPull, dvcPull}, targets: []target{{peer: "dvc", most: 1.0 / 8}, {peer: "restic", most: 1 / 1.5}}},
	{
		id: "s3-push-large", title: "`push` 2 GiB that don't compress", load: &large,
		contestants: []contestant{tarnPush, {name: "loop", run: `$BENCH -puts $DATA/0000/0000000.bin -key $KEY`}, rclonePush, resticPush, dvcPush},
		targets:     []target{{peer: "dvc", most: 1}, {peer: "rclone", most: 1}, {peer: "restic", most: 1 / 1.7}, {peer: "loop", most: 1.5}},
	},
	{id: "s3-pull-large", title: "`pull` them", load: &large, contestants: []contestant{tarnPull, rclonePull, resticPull, dvcPull}, targets: []target{{peer: "rclone", most: 1.3}, {peer: "dvc", most: 1.0 / 2}, {peer: "restic", most: 1}}},
	{
		id: "s3-table", title: "first `push` of a CSV of 382 MB", load: &table,
		contestants: []contestant{tarnPush, dvcPush},
		targets:     []target{{peer: "dvc", most: 1}},
		share:       tarnPush.each + sent, most: 0.45,
	},
	{
		id: "s3-table-again", title: "`push` after 1,000 rows were inserted in the middle and 1 % appended", load: &table,
		contestants: []contestant{
			{name: "tarn", each: tableChanged, run: `$TARN push -q`},
			{name: "dvc", each: dvcPush.each + ` && $DVC push -q && $BENCH -mutate-table data/0000/0000000.csv && $DVC add -q data`, run: `$DVC push -q`, rounds: 1},
		},
		share: tableChanged + sent, most: 0.02,
	},
	{
		id: "s3-slow-push", title: "`push` 20,000 small files, 20 ms more for each request", load: &few,
		contestants: []contestant{{name: "tarn", each: tarnRepo + copyData + slowRemote + ` && $TARN add -q data`, run: tarnPush.run}, {name: "no delay", each: tarnPush.each, run: tarnPush.run}},
		targets:     []target{{peer: "no delay", more: time.Second}},
	},
	{
		id: "s3-slow-pull", title: "`pull` them, 20 ms more for each request", load: &few,
		contestants: []contestant{
			{name: "tarn", once: tarnPushed, each: `git clone -q .. clone && git config -f clone/.tarn/config remote.origin.endpoint $S3SLOW`, run: tarnPull.run},
			{name: "no delay", once: tarnPull.once, each: tarnPull.each, run: tarnPull.run},
		},
		targets: []target{{peer: "no delay", more: time.Second}},
	},
	{
		id: "s3-million-add", title: "`add` 1,000,000 files of 1 KiB at most; memory in MiB", load: &million,
		contestants: []contestant{{name: "tarn", each: tarnRepo + copyData, run: `$TARN add -q data`, rounds: 1}},
	},
	{id: "s3-million-push", title: "`push` them", load: &million, contestants: []contestant{{name: "tarn", each: tarnPush.each, run: tarnPush.run, rounds: 1}}},
	{id: "s3-million-pull", title: "`git clone` and `pull`", load: &million, contestants: []contestant{{name: "tarn", once: tarnPushed, run: `git clone -q .. clone && cd clone && $TARN pull -q`, rounds: 1}}},
}

// puts sends a file in parts of 16 MiB, six at a time: what a client of minio-go can do at most.
func puts(ctx context.Context, path, key string) error {
	host := strings.TrimPrefix(os.Getenv("S3"), "http://")
	c, err := minio.New(host, &minio.Options{Creds: credentials.NewEnvAWS(), Region: s3test.Region, BucketLookup: minio.BucketLookupPath})
	if err != nil {
		return err
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(6)
	for i := 0; ; i++ {
		b := make([]byte, 16<<20)
		n, err := io.ReadFull(f, b)
		if n > 0 {
			g.Go(func() error {
				_, err := c.PutObject(ctx, bucket, fmt.Sprintf("%s/%06d", key, i), bytes.NewReader(b[:n]), int64(n), minio.PutObjectOptions{DisableMultipart: true})
				return err
			})
		}
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return g.Wait()
		}
		if err != nil {
			return errors.Join(err, g.Wait())
		}
	}
}

// writeTable writes rows of a CSV file, the same for the same first and seed.
func writeTable(w io.Writer, first, n int, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 4))
	for i := first; i < first+n; i++ {
		fmt.Fprintf(w, "%d,2026-%02d-%02d %02d:%02d:%02d,user-%06d,%.4f,%d,%s\n", i, 1+i/2_000_000%12, 1+i/80_000%28, i/3600%24, i/60%60, i%60, r.IntN(200_000), r.NormFloat64()*100, r.IntN(10_000), words[r.IntN(len(words))])
	}
}

// makeTable makes the one file of the workload.
func makeTable(path string, rows int) error {
	return writeFile(path, func(w io.Writer) error {
		fmt.Fprintln(w, "id,time,user,value,count,state")
		writeTable(w, 0, rows, seed)
		return nil
	})
}

// mutateTable inserts 1,000 rows in the middle, and appends 1 %.
func mutateTable(path string) error {
	old, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	rows := bytes.Count(old, []byte("\n"))
	middle := len(old)/2 + bytes.IndexByte(old[len(old)/2:], '\n') + 1
	return writeFile(path, func(w io.Writer) error {
		w.Write(old[:middle])
		writeTable(w, 1<<40, 1000, seed+1)
		w.Write(old[middle:])
		writeTable(w, rows, rows/100, seed+2)
		return nil
	})
}

func writeFile(path string, write func(io.Writer) error) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 1<<20)
	return errors.Join(write(w), w.Flush(), f.Close())
}

// shares runs the script of an experiment that prints two numbers, and divides them.
func (b *bench) shares(e experiment) (float64, error) {
	dir := filepath.Join(b.dir, "runs", e.id, "share")
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return 0, err
	}
	_, out, err := b.output(dir, e.share)
	if err != nil {
		return 0, err
	}
	nums := strings.Fields(out)
	if len(nums) < 2 {
		return 0, fmt.Errorf("%s printed %q", e.share, out)
	}
	x, err1 := strconv.ParseFloat(nums[len(nums)-2], 64)
	y, err2 := strconv.ParseFloat(nums[len(nums)-1], 64)
	return x / y, errors.Join(err1, err2)
}
