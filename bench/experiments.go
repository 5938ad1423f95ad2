package main

import "time"

// A contestant is one way to do the work: bash scripts. $DATA is the workload; do not change it. No script deletes many files: for minutes after that ext4
// without a journal takes a millisecond to make one.
type contestant struct {
	name   string
	once   string // before all rounds, not timed, in the contestant's directory
	each   string // before each round, not timed, in a new directory in there
	run    string // timed, in that directory
	rounds int    // at most; 0: as many as the others
}

// A target is what the ratio of tarn's time to a peer's has to be.
type target struct {
	peer string
	most float64       // of tarn's time over the peer's; or
	more time.Duration // what tarn's may have above it
}

// experiment is the same work done by several contestants; the first one is tarn.
type experiment struct {
	id, title   string
	load        *workload
	contestants []contestant
	targets     []target
	seconds     float64 // what tarn may take; 0: no such bound
	share       string  // a script that prints bytes sent, and of how many; "": none
	most        float64 // what their quotient may be
}

const (
	tarnRepo = `git init -q . && $TARN init -q`
	dvcRepo  = `git init -q . && $DVC init -q`
	copyData = ` && cp -r $DATA data`
	commit   = ` && git add -A && git commit -qm one`
)

var experiments = []experiment{
	{
		id: "add-small", title: "`add` 100,000 small files", load: &small,
		contestants: []contestant{
			{name: "tarn", each: tarnRepo + copyData, run: `$TARN add -q data`},
			{name: "cp", run: `cp -r $DATA copy`},
			{name: "dvc", each: dvcRepo + copyData, run: `$DVC add -q data`, rounds: 2},
		},
		targets: []target{{peer: "dvc", most: 1.0 / 10}, {peer: "cp", most: 2.5}},
	},
	{
		id: "add-large", title: "`add` one file of 2 GiB, no reflink", load: &large,
		contestants: []contestant{
			{name: "tarn", each: tarnRepo + copyData, run: `$TARN add -q data`},
			{name: "cp", each: `cp -r $DATA data`, run: `cp -r data copy && sync`}, // from the same state of memory: Linux takes several times as long where it has to free it first
		},
		targets: []target{{peer: "cp", most: 1.3}},
	},
	{
		id: "add-images", title: "`add` 10,000 × 100 KB", load: &images,
		contestants: []contestant{
			{name: "tarn", each: tarnRepo + copyData, run: `$TARN add -q data`},
			{name: "cp", each: `cp -r $DATA data`, run: `cp -r data copy && sync`}, // from the same state of memory: Linux takes several times as long where it has to free it first
		},
		targets: []target{{peer: "cp", most: 1.5}},
	},
	{
		id: "status", title: "`status`, nothing changed, 100,000 files", load: &small,
		contestants: []contestant{
			{name: "tarn", once: tarnRepo + copyData + ` && sleep 3 && $TARN add -q data` + commit + ` && $TARN status --exit-code`, run: `cd .. && $TARN status --exit-code`},
			{name: "git", once: `git init -q .` + copyData + ` && sleep 3` + commit + ` && git status`, run: `cd .. && git status`},
			{name: "dvc", once: dvcRepo + copyData + ` && $DVC add -q data` + commit + ` && $DVC data status`, run: `cd .. && $DVC data status`, rounds: 3},
		},
		targets: []target{{peer: "dvc", most: 1.0 / 20}, {peer: "git", most: 2}},
	},
	{
		id: "add-again", title: "`add` after 1 % of 100,000 changed", load: &small,
		contestants: []contestant{
			{name: "tarn", once: tarnRepo + copyData + ` && sleep 3 && $TARN add -q data`, each: `$BENCH -mutate ../data && sleep 3`, run: `cd .. && $TARN add -q data`},
			{name: "dvc", once: dvcRepo + copyData + ` && $DVC add -q data`, each: `$BENCH -mutate ../data`, run: `cd .. && $DVC add -q data`, rounds: 3},
		},
		targets: []target{{peer: "dvc", most: 1.0 / 5}},
	},
	{
		id: "checkout", title: "`checkout` of 100,000 small files", load: &small,
		contestants: []contestant{
			{name: "tarn", once: tarnRepo + copyData + ` && $TARN add -q data` + commit,
				each: `git clone -q .. clone && mkdir clone/.git/tarn && git config -f clone/.git/tarn/config cache.dir $(cd .. && pwd)/.git/tarn/cache`, run: `cd clone && $TARN checkout -q`},
			{name: "cp", run: `cp -r $DATA copy`},
			{name: "dvc", once: dvcRepo + copyData + ` && $DVC add -q data` + commit,
				each: `git clone -q .. clone && cd clone && $DVC cache dir -q --local $(cd ../.. && pwd)/.dvc/cache`, run: `cd clone && $DVC checkout -q`, rounds: 3},
		},
		targets: []target{{peer: "dvc", most: 1.0 / 8}, {peer: "cp", most: 1.5}},
	},
	{
		id: "diff", title: "`diff`, two versions of 1,000,000 files, 100 changed", load: &million,
		contestants: []contestant{
			{name: "tarn", once: tarnRepo + ` && mkdir data && cp -r $DATA data/one && $TARN add -q data` + commit +
				` && for i in $(seq 0 99); do echo changed > data/one/0$(printf %03d $((i % 10)))/00$(printf %02d $((i % 10)))$(printf %03d $i).bin; done && $TARN add -q data` + commit,
				run: `cd .. && test $($TARN diff --name-only HEAD~1 HEAD | wc -l) = 100`},
		},
		seconds: 0.3,
	},
	{
		id: "start", title: "start-up (`tarn version`)",
		contestants: []contestant{{name: "tarn", run: `$TARN version`}, {name: "git", run: `git version`}},
		seconds:     0.015,
	},
}
