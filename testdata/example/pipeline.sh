#!/bin/sh
# check → drift → changed → train → tag. The newest tag model-N says with which data the model was trained.
#
# ./pipeline.sh [--accept-drift]
# Exit codes: 0 trained, or nothing to train; 1 the data are bad, or they drifted and nobody accepted that;
# others: it could not be done (of tarn's verbs 1 is an answer, and what is above is none).
set -eu
model=$(git tag --list 'model-*' --sort=-version:refname | head -n 1)

echo "== check"
tarn check houses

if [ -n "$model" ]; then
  echo "== drift since $model"
  code=0
  tarn drift "$model" HEAD houses || code=$?
  if [ "$code" -eq 1 ] && [ "${1:-}" = --accept-drift ]; then
    echo "accepted"
  elif [ "$code" -ne 0 ]; then
    echo "stopped at drift; if the world changed and the data are right: ./pipeline.sh --accept-drift" >&2
    exit "$code"
  fi

  echo "== changed since $model"
  code=0
  tarn changed --since "$model" --min-share 5% --drift --exit-code houses || code=$?
  if [ "$code" -eq 0 ]; then
    echo "nothing to train"
    exit 0
  elif [ "$code" -ne 1 ]; then
    exit "$code"
  fi
fi

echo "== train"
tarn pull houses # the first step that needs all bytes
./train.sh houses > model.txt
cat model.txt
git add model.txt
git diff --cached --quiet || git commit -q -m "Train" model.txt

next=model-$((${model#model-} + 1))
git tag -a -m "$(cat model.txt)" "$next"
echo "tagged $next"
