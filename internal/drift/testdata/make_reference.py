# Makes scipy-1.17.1.json: what scipy finds in generated samples. Run with scipy 1.17.1 as: python make_reference.py OUT.json
import json, random, sys
import numpy as np
from scipy import stats
from scipy.spatial.distance import jensenshannon
random.seed(7)
out = {'ks': [], 'ksPower': [], 'kstwo': [], 'wasserstein': [], 'chi2': [], 'chi2ppf': [], 'js': [], 'bh': []}
def ks(a, b):
    e, s, r = (stats.ks_2samp(a, b, method=m) for m in ('exact', 'asymp', 'auto'))
    p = lambda x: None if np.isnan(x.pvalue) else float(x.pvalue)
    out['ks'].append({'a': a, 'b': b, 'd': float(s.statistic), 'at': float(s.statistic_location), 'exact': p(e), 'asymp': p(s), 'auto': p(r)})
ks([.1,.4,.7,1.1,1.5,2,2.2,2.9,3.1,3.8], [.5,1.2,1.3,2.1,2.8,3,3.3,3.9,4.2,5])
ks([1,2,2,3,3,3,4], [2,3,3,4,4,5,5,5,6,6,7,8])
ks([1,2,3,4,5], [6,7,8,9]); ks([1,2,3], [1,2,3]); ks([1], [2]); ks([1,2,3,4,5], [3,4.5,6,7,8])
for n in range(40):
    m, k = random.randint(1, 40), random.randint(1, 40)
    top = random.choice([3, 10, 1000])
    ks([random.randint(0, top) for _ in range(m)], [random.randint(0, top) + random.choice([0, 0, 1]) for _ in range(k)])
for n, m, e in [(300, 200, 1.25), (20000, 15000, 1.03), (10000, 9999, 1.03), (10000, 10000, 1.03), (9000, 30, 1.3), (300000, 200000, 1.004), (12000, 11000, 1.1), (3000000, 3000000, 1.002)]:
    a, b = (np.arange(n) + .5) / n, ((np.arange(m) + .5) / m) ** e
    r = stats.ks_2samp(a, b)
    out['ksPower'].append({'n': n, 'm': m, 'exponent': e, 'd': float(r.statistic), 'p': float(r.pvalue)})
for n in [1, 2, 3, 7, 10, 50, 139, 140, 141, 200, 1000, 10000, 99999, 100001, 500000, 1000000, 2000000]:
    for z in [.2, .4, .6, .8, 1, 1.2, 1.36, 1.48, 1.49, 1.7, 2, 2.01, 2.5, 4, 8]:
        x = z / n ** .5
        if x < 1:
            out['kstwo'].append([n, x, float(stats.kstwo.sf(x, n))])
    for x in [.1, .3, .499, .5, .6, .9, .99]:
        if n <= 200:
            out['kstwo'].append([n, x, float(stats.kstwo.sf(x, n))])
for i in range(20):
    a, b = ([round(random.gauss(0, 5), 3) for _ in range(random.randint(1, 15))] for _ in '12')
    out['wasserstein'].append({'a': a, 'b': b, 'w': float(stats.wasserstein_distance(a, b))})
for i in range(20):
    k = random.randint(2, 8)
    r, c = ([random.randint(10, 90) for _ in range(k)] for _ in '12')
    x = stats.chi2_contingency([r, c], correction=False)
    out['chi2'].append({'ref': r, 'cur': c, 'stat': float(x.statistic), 'dof': int(x.dof), 'p': float(x.pvalue)})
    out['js'].append({'ref': r, 'cur': c, 'd': float(jensenshannon(r, c, base=2))})
for dof in [1, 2, 3, 9, 10, 50, 500]:
    for q in [.05, .5, .95, .999]:
        out['chi2ppf'].append([dof, q, float(stats.chi2.ppf(q, dof))])
for n in [1, 2, 5, 20]:
    p = [round(random.random() ** 3, 6) for _ in range(n)]
    out['bh'].append({'p': p, 'q': [float(x) for x in stats.false_discovery_control(p)]})
open(sys.argv[1], 'w').write('{\n' + ',\n'.join(json.dumps(k) + ': [\n' + ',\n'.join(json.dumps(x) for x in v) + ']' for k, v in out.items()) + '}\n')
