"""Executable model of what rules mean for sets of recipients: sections 2 and 4 of the language.
   tests/oracle/recipient_model_test.py holds compiler and machine to it with random programs.
   Values: F, T, A (the readings of one value disagree), U (permanently undecidable), E (temporarily undecidable).
   `spec=True` is a naive reading of the same text, kept to show that the properties below can fail."""
import itertools, random
F, T, A, U, E = 'F', 'T', 'A', 'U', 'E'
VAL = [F, T, A, U, E]
RANK = {A: 0, U: 1, E: 2}
def AND(x, y):
    if F in (x, y): return F
    if x == T: return y
    if y == T: return x
    return max(x, y, key=RANK.get)
def OR(x, y):
    if T in (x, y): return T
    if x == F: return y
    if y == F: return x
    return max(x, y, key=RANK.get)
def NOT(x): return {F: T, T: F}.get(x, x)

def laws():
    bad = []
    for x, y, z in itertools.product(VAL, repeat=3):
        if AND(x, y) != AND(y, x): bad.append('comm')
        if AND(x, AND(y, z)) != AND(AND(x, y), z): bad.append('assoc')
        if NOT(AND(x, y)) != OR(NOT(x), NOT(y)): bad.append('deMorgan')
        if AND(x, x) != x: bad.append('idem')
        if AND(x, OR(y, z)) != OR(AND(x, y), AND(x, z)): bad.append(('distrib', x, y, z))
        if AND(x, OR(x, y)) != x: bad.append(('absorb', x, y))
        if OR(x, NOT(x)) != T and x in (T, F): bad.append('excl')
    return bad

LEVEL = {None: 0, 'encrypt': 1, 'verified': 2, 'dane': 3}
FINAL = {'reject', 'drop', 'defer', 'quarantine', 'hold', 'moderate', 'redirect'}
KEPT = {'quarantine', 'hold', 'moderate'}          # may still be delivered later
PROTECT = {'require_tls'}
RELAX = {'stop', 'relax'}

class R:
    def __init__(s, a):
        s.a = a; s.state = 'play'; s.tls = 0; s.edits = (); s.marks = frozenset(); s.smarks = frozenset()
        s.final = None
        s.added = s.again = False; s.at = -1; s.log = []
    def dom(s): return s.a.split('@')[1]

DEBUG = []
class Defer(Exception): pass

class Judge:
    def __init__(s, msg, rules, spec=False): s.m, s.rules, s.spec = msg, rules, spec
    def run(s):
        s.would = []; s.rs = [R(a) for a in s.m['rcpt']]; s.envelope = list(s.rs)
        try:
            for i, rule in enumerate(s.rules): s.rule(i, rule)
            if not s.spec: s.second()
        except Defer as d: return {'reply': 451, 'why': str(d), 'rcpt': {}}
        if not s.spec:                                   # a redirected recipient shares the fate of its target
            by = {r.a: r for r in s.rs}
            def fate(r, k=0):
                INV = k <= len(s.rs); assert INV, 'redirect cycle'
                return fate(by[r.to], k + 1) if r.final == 'redirect' else r.final
            for r, f_ in [(r, fate(r)) for r in s.rs]:
                if f_ in ('reject', 'drop'): r.final = f_
        fin = [r for r in s.rs if not r.added]
        rej = [r for r in fin if r.final == 'reject']
        out = {'reply': 550 if fin and len(rej) == len(fin) else 250,
               'rcpt': {r.a: (r.final or 'deliver', r.tls, r.edits) for r in s.rs},
               'dsn': [r.a for r in rej] if len(rej) < len(fin) else []}
        if s.would: out['audit: would'] = s.would
        return out
    def quantified(s):           # whom `any/every/no recipient` and recipient_count speak of
        if s.spec: return [r for r in s.rs if r.state == 'play']
        return s.rs
    def value(s, rule, r):
        v = rule['when'](s, r)
        for u in rule.get('unless', []): v = AND(v, NOT(u(s, r)))
        return v
    def rule(s, i, rule):
        audit = rule.get('mode') == 'audit'
        s.audit = audit
        play = [r for r in s.rs if r.state == 'play' and r.at < i]
        tail = [r for r in s.rs if r.state == 'final' and r.final in KEPT] if not s.spec else []
        todo = []
        for r in play + tail:
            v = s.value(rule, r)
            acts = None
            if v == T: acts = rule['then']
            elif v == A: acts = rule['then'] if s.spec else [a for a in rule['then'] if a[0] not in RELAX]
            elif v == U and not s.spec: acts = [a for a in rule['then'] if a[0] in PROTECT]
            elif v in (U, E):
                if audit: acts = None
                else:
                    oe = rule.get('on_error', 'defer')
                    if oe == 'defer' and r in play: raise Defer(rule.get('name', i))
                    if oe == 'defer' or oe == 'skip': acts = None
                    else: acts = rule['then']
            if acts is None: continue
            if r in tail: acts = [a for a in acts if a[0] in PROTECT]
            todo.append((r, acts))
        if audit:
            s.would += [(r.a, a[0]) for r, acts in todo for a in acts if a[0] != 'mark']
            if not s.spec:
                for r, acts in todo:
                    for a in acts:
                        if a[0] == 'mark': r.smarks |= {a[1]}
            return
        done = []
        adds = {}
        for r, acts in todo:
            end = None
            for a in acts:
                # "actions happen in the order written"; a final takes the recipient out
                if s.spec and end: break
                n = a[0]
                if n == 'require_tls': r.tls = max(r.tls, LEVEL[a[1]])
                elif n == 'prepend': r.edits += (a[1],)
                elif n == 'mark': r.marks |= {a[1]}; r.smarks |= {a[1]}
                elif n in ('add', 'copy'): adds.setdefault(a[1], []).append(r)
                elif n == 'redirect':
                    # a redirect leaves its own target alone
                    if s.spec or r.a != a[1]: adds.setdefault(a[1], []).append(r); end = end or n; r.to = a[1]
                elif n == 'stop': end = end or n
                elif n in FINAL: end = end or n
            if end == 'stop': r.state = 'stop'
            elif end: r.state, r.final = 'final', end
        for addr, g in adds.items():
            if any(x.a == addr for x in s.rs): 
                x = [x for x in s.rs if x.a == addr][0]
                if s.spec: continue
                x.tls = max([x.tls] + [y.tls for y in g])
                if x.final == 'redirect': x.state, x.final, x.at, x.again = 'play', None, i, True       # it is back
                continue
            n = R(addr); n.added = True; n.at = i
            if not s.spec:
                # audit rules see what enforced ones see
                n.tls = max(y.tls for y
                            in g); n.edits = g[0].edits; n.marks = g[0].marks; n.smarks = g[0].smarks; n.origin = i
            s.rs.append(n)
    def second(s):
        s.audit = False                              # whatever the last rule was: audit changes nothing
        for n in [r for r in s.rs if r.added or r.again]:
            for i, rule in enumerate(s.rules[:n.at + 1]):
                if rule.get('mode') == 'audit': continue
                save, n.edits = n.edits, ()
                v = s.value(rule, n); n.edits = save
                if v in (T, A, U) or v == E:
                    for a in rule['then']:
                        if a[0] in PROTECT: n.tls = max(n.tls, LEVEL[a[1]])

# ---- atoms
def rdom(d): return lambda j, r: T if r.dom() == d else F
def isr(a): return lambda j, r: T if r.a == a else F
def anyr(d): return lambda j, r: T if any(x.dom() == d for x in j.quantified()) else F
def subj(w): return lambda j, r: T if w in ' '.join(r.edits) + j.m.get('subject', '') else F
def const(v): return lambda j, r: v
def marked(m): return lambda j, r: T if m in (r.smarks if (j.audit and not j.spec) else r.marks) else F
def inv(f): return lambda j, r: NOT(f(j, r))
def both(f, g): return lambda j, r: AND(f(j, r), g(j, r))
def views(name, w):      # any-view (spec) or "both" when the readings disagree
    def g(j, r):
        vs = [w in v for v in j.m['views'][name]]
        if all(vs): return T
        if not any(vs): return F
        return T if j.spec else A
    return g

def demo():
    out = 'partner.example'
    def go(t, msg, rules):
        print('—', t)
        for spec in (True, False):
            print('    ', 'literal ' if spec else 'proposed', Judge(msg, rules, spec).run())
    m = {'rcpt': ['b@' + out, 'c@corp.example'], 'subject': 'secret'}
    go('1 quarantine before the TLS rule: what level does a release have?', m,
       [{'when': subj('secret'), 'then': [('quarantine',)]},
        {'when': rdom(out), 'then': [('require_tls', 'verified')]}])
    go('2 TLS rule first, then a copy to the outside', {'rcpt': ['c@corp.example'], 'subject': 'x'},
       [{'when': rdom(out), 'then': [('require_tls', 'verified')]},
        {'when': const(T), 'then': [('copy', 'archive@' + out)]}])
    go('2b a redirect of a protected recipient', {'rcpt': ['b@' + out], 'subject': 'secret'},
       [{'when': subj('secret'), 'then': [('require_tls', 'dane')]},
        {'when': rdom(out), 'then': [('redirect', 'z@other.example')]}])
    go('3 a quantifier after a final took the outsider out', m,
       [{'when': rdom(out), 'then': [('reject',)]}, {'when': anyr(out), 'then': [('prepend', '[OUT] ')]}])
    go('3b … and after `stop`', m,
       [{'when': rdom(out), 'then': [('stop',)]}, {'when': anyr(out), 'then': [('prepend', '[OUT] ')]}])
    go('4 subject edited for one recipient, tested later: the "message fact" is no longer all-or-none', m,
       [{'when': rdom(out), 'then': [('prepend', '[SECURE] ')]},
        {'when': subj('[SECURE]'), 'then': [('require_tls', 'verified')]}])
    go('5 exception on a duplicated header (two From fields, one of them trusted)',
       {'rcpt': ['c@corp.example'], 'subject': 'x', 'views': {'from': ['evil@x', 'ceo@corp.example']}},
       [{'when': const(T), 'unless': [views('from', 'ceo@corp.example')], 'then': [('quarantine',)]}])
    go('6 allow-list (a rule that relaxes) on the same message',
       {'rcpt': ['c@corp.example'], 'subject': 'x', 'views': {'from': ['evil@x', 'ceo@corp.example']}},
       [{'when': views('from', 'ceo@corp.example'), 'then': [('stop',)]},
        {'when': const(T), 'then': [('quarantine',)]}])
    go('7 an encrypted PDF under a content rule', m,
       [{'name': 'cards', 'when': const(U), 'then': [('require_tls', 'verified'), ('quarantine',)]}])
    go('8 two audit rules joined by a mark', m,
       [{'mode': 'audit', 'when': rdom(out), 'then': [('mark', 'x')]},
        {'mode': 'audit', 'when': marked('x'), 'then': [('reject',)]}])
    go('9 partial reject: a DSN to a forged sender', m, [{'when': rdom(out), 'then': [('reject',)]}])
    go('11 a redirect to somebody who is already a recipient',
       {'rcpt': ['a@corp.example', 'desk@corp.example'], 'subject': 'x'},
       [{'when': rdom('corp.example'), 'then': [('redirect', 'desk@corp.example')]}])
    go('10 `then stop, require_tls` and `then reject, copy`', m,
       [{'when': const(T), 'then': [('stop',), ('require_tls', 'verified')]}])

def lost(out):   # accepted, yet nobody at all receives, holds or knows of it
    return out['reply'] == 250 and not [1 for v in out['rcpt'].values() if v[0]
                                        in ('deliver', 'quarantine', 'hold', 'moderate', 'drop')] and not out['dsn']

def props(n=4000, seed=1, spec=False):
    """random programs; every property is exercised and its number of comparisons counted"""
    rnd = random.Random(seed)
    doms = ['a', 'b', 'c']
    plain = lambda: rnd.choice([rdom(rnd.choice(doms)), inv(rdom(rnd.choice(doms))), const(T), subj('k'),
                                both(rdom(rnd.choice(doms)), subj('k')), const(A), const(U)])
    cond = lambda: rnd.choice([plain(), marked('m')])
    tls = lambda: ('require_tls', rnd.choice(['encrypt', 'verified', 'dane']))
    act = lambda: rnd.choice([tls(), tls(), ('quarantine',), ('reject',), ('drop',), ('prepend', 'k'), ('mark', 'm'),
                              ('stop',), ('hold',)])
    viol, seen = {}, {}
    def check(name, ok):
        seen[name] = seen.get(name, 0) + 1
        if not ok: viol[name] = viol.get(name, 0) + 1
    J = lambda m, r: Judge(m, r, spec).run()
    for _ in range(n):
        rc = [f'u{i}@{rnd.choice(doms)}' for i in range(rnd.randint(1, 4))]
        msg = {'rcpt': rc, 'subject': rnd.choice(['', 'k'])}
        rules = [{'when': cond(), 'then': [act() for _ in range(rnd.randint(1, 3))],
                  'mode': rnd.choice(['enforce', 'enforce', 'audit'])} for _ in range(rnd.randint(1, 6))]
        o = J(msg, rules)
        if o['rcpt']:
            for a in rc:                               # 1 judged alone = judged together (no quantifiers)
                check('alone', J({**msg, 'rcpt': [a]}, rules)['rcpt'].get(a) == o['rcpt'][a])
            check('audit is no rule', J(msg, [r for r in rules if r['mode'] != 'audit'])['rcpt'] == o['rcpt'])
            more = J(msg, rules + [{'when': plain(), 'then': [tls()]}])
            if more['rcpt']:
                for a in rc: check('one more TLS rule never lowers', more['rcpt'][a][1] >= o['rcpt'][a][1])
        # 4 rules that only require TLS or keep for later: their order does not matter to the level
        r4 = [{'when': plain(), 'then': [rnd.choice([tls(), ('quarantine',), ('hold',)])]}
              for _ in range(rnd.randint(2, 5))]
        a4 = J(msg, r4); sh = r4[:]; rnd.shuffle(sh); b4 = J(msg, sh)
        if a4['rcpt'] and b4['rcpt']:
            for a in rc: check('order of TLS and quarantine', a4['rcpt'][a][1] == b4['rcpt'][a][1])
            free = J(msg, [r for r in r4 if r['then'][0][0] in PROTECT])   # 5 keeping costs no protection
            for a in rc if free['rcpt'] else []:
                check('quarantine costs no TLS', a4['rcpt'][a][1] >= free['rcpt'][a][1])
        # 6 an added recipient has at least the level it would have had if the client had named it, and that of those it
        # was added for
        x = 'x@' + rnd.choice(doms)
        r6 = [{'when': plain(), 'then': [rnd.choice([tls(), tls(), ('copy', x), ('redirect', x)])]}
              for _ in range(rnd.randint(2, 5))]
        o6 = J(msg, r6)
        ts = rc + ['x@a', 'y@b']
        r8 = [{'when': rnd.choice([const(T), plain(), isr(rnd.choice(ts))]),
               'then': [rnd.choice([('redirect', rnd.choice(ts)), ('redirect', rnd.choice(ts)),
                                    ('copy', rnd.choice(ts)), ('reject',), ('drop',), ('stop',), ('quarantine',),
                                    tls()])]} for _ in range(rnd.randint(1, 6))]
        o8 = J(msg, r8)
        if o8['rcpt']:
            check('nothing vanishes (cycles, rejects)', not lost(o8))
            if lost(o8) and DEBUG: DEBUG.append((rc, [(r['then']) for r in r8], o8))
        if o6['rcpt']: check('nothing vanishes', not lost(o6))
        o7 = J({**msg, 'rcpt': rc + [x]}, r6)
        if o7['rcpt']: check('nothing vanishes', not lost(o7))
        if x in o6['rcpt']:
            named = J({**msg, 'rcpt': [x]}, [r for r in r6 if r['then'][0][0] in PROTECT])
            if named['rcpt']:
                good = o6['rcpt'][x][1] >= named['rcpt'][x][1]
                check('added as if named', good)
                if not good and DEBUG:
                    DEBUG.append((rc, x, [(r['when'].__name__ if hasattr(r['when'], '__name__') else '?', r['then'])
                                          for r in r6], o6['rcpt'], named['rcpt']))
            red = [v for a, v in o6['rcpt'].items() if v[0] == 'redirect']
            for v in red: check('redirect inherits', o6['rcpt'][x][1] >= v[1])
    return {k: f'{viol.get(k, 0)} of {seen[k]}' for k in seen}

if __name__ == '__main__':
    b = laws(); print('laws violated:', sorted({x if isinstance(x, str) else x[0] for x in b}),
                      [x for x in b if not isinstance(x, str)][:4])
    demo()
    for spec in (False, True): print('violations,', 'literal reading:' if spec else 'proposal:', props(spec=spec))
