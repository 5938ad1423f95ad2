#!/bin/sh
# make-data.sh FIRST ROWS [good|bad|large]: houses that were sold, as CSV, the same for the same FIRST.
# bad has rows that the contract refuses; of large the houses are twice as large, as if another town had been asked.
set -eu
exec awk -v first="$1" -v rows="$2" -v kind="${3:-good}" '
function uniform() { state = state * 16807 % 2147483647; return state / 2147483647 }
BEGIN {
  state = first + 4711
  for (i = 0; i < 10; i++) uniform()
  split("centre east north south west", district, " ")
  print "id,district,area,price"
  for (i = 0; i < rows; i++) {
    d = 1 + int(uniform() * 5)
    area = 40 + int((uniform() + uniform()) * 60)
    if (kind == "large") area *= 2
    price = 20000 + area * (2000 + 100 * d) + int((uniform() - 0.5) * 20000)
    if (kind == "bad" && i % 10 == 3) area = -area
    if (kind == "bad" && i % 10 == 7) price = ""
    printf "%d,%s,%d,%s\n", first + i, district[d], area, price
  }
}'
