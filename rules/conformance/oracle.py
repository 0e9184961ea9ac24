"""A small, slow reference evaluator for Sigma rules, written from the specification.

It favours being plain over being quick: every event is read again for every line of every rule,
and correlations look at every window again. It shares no code with any engine.
"""

from fractions import Fraction
import base64
import datetime as dt
import decimal
import ipaddress
import itertools
import json
import math
import re

import yaml


class Invalid(Exception):
    """The rule has to be refused."""


class Loader(yaml.SafeLoader):
    """YAML 1.2: true and false are the only booleans, no times, no key twice."""


Loader.yaml_implicit_resolvers = {}
for tag, pattern, first in [
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?[0-9]+", "-+0123456789"),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", "-+.0123456789"),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
]:
    Loader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(f"^(?:{pattern})$"), first)


def unique_map(loader, node):
    keys = [loader.construct_object(k) for k, _ in node.value]
    if len(set(keys)) != len(keys):
        raise yaml.constructor.ConstructorError(None, None, "a key twice", node.start_mark)
    return loader.construct_mapping(node, deep=True)


Loader.add_constructor("tag:yaml.org,2002:map", unique_map)
Loader.add_constructor("tag:yaml.org,2002:int", lambda l, n: int(l.construct_scalar(n)))


def load_all(text):
    try:
        return list(yaml.load_all(text, Loader))
    except (yaml.YAMLError, TypeError) as e:
        raise Invalid(f"YAML: {e}")


# ---------------------------------------------------------------- texts and patterns

STAR, ONE = object(), object()
DASHES = "-/\u2013\u2014\u2015"


def text_of(value):
    """The text of a value in an event; None if it has none."""
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def parse(text):
    """A value of a rule as a list of characters and wildcards."""
    out, i = [], 0
    while i < len(text):
        if text[i] == "\\" and i + 1 < len(text) and text[i + 1] in "\\*?":
            out.append(text[i + 1])
            i += 2
            continue
        out.append({"*": STAR, "?": ONE}.get(text[i], text[i]))
        i += 1
    return out


def plain(tokens):
    if STAR in tokens or ONE in tokens:
        raise Invalid("a wildcard cannot be encoded")
    return "".join(tokens)


def lower(text):
    return "".join(c.lower() if len(c.lower()) == 1 else c for c in text).replace("ς", "σ")


def fits(tokens, text, cased):
    """Wildcard match by dynamic programming: which prefixes of the pattern reach which place."""
    fold = (lambda c: c) if cased else lower
    reach = {0}
    for token in tokens:
        if token is STAR:
            reach = set(range(min(reach), len(text) + 1)) if reach else set()
        elif token is ONE:
            reach = {i + 1 for i in reach if i < len(text)}
        else:
            reach = {i + 1 for i in reach if i < len(text) and fold(text[i]) == fold(token)}
    return len(text) in reach


# ---------------------------------------------------------------- fields


def resolve(node, parts):
    """All nodes that a dotted name leads to."""
    if isinstance(node, list) and parts:
        return [found for item in node for found in resolve(item, parts)]
    if not parts:
        return [node]
    found = []
    if isinstance(node, dict):
        for n in range(1, len(parts) + 1):
            key = ".".join(parts[:n])
            if key in node:
                found += resolve(node[key], parts[n:])
    return found


def leaves(event, field):
    """(is the field there, its values)."""
    nodes = resolve(event, field.split("."))
    values = [v for n in nodes for v in (n if isinstance(n, list) else [n])]
    return bool(nodes), values


def everything(node):
    """The keys and the scalar texts of an event."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield key
            yield from everything(value)
    elif isinstance(node, list):
        for value in node:
            yield from everything(value)
    elif node is not None:
        yield text_of(node)


# ---------------------------------------------------------------- one line of a search

PLACE = {"contains", "startswith", "endswith"}
COMPARE = {"lt", "lte", "gt", "gte"}
TIME = {"minute": (0, 59), "hour": (0, 23), "day": (1, 31), "week": (1, 53), "month": (1, 12),
        "year": (0, 9999)}
WIDE = {"wide", "utf16le", "utf16be", "utf16"}
FLAGS = {"i": re.I, "m": re.M, "s": re.S}
KNOWN = (PLACE | COMPARE | WIDE | set(TIME) | set(FLAGS)
         | {"all", "exists", "cased", "neq", "windash", "re", "base64", "base64offset", "cidr",
            "expand", "fieldref"})


def check_modifiers(mods):
    has = set(mods)
    if has - KNOWN:
        raise Invalid(f"unknown modifier {sorted(has - KNOWN)}")

    def only(kind, *allowed):
        if has - {kind, "all", "neq", *allowed}:
            raise Invalid(f"{kind} with {sorted(has)}")

    for flag in has & set(FLAGS):
        if "re" not in mods[: mods.index(flag)]:
            raise Invalid(f"{flag} without re")
    if len(has & PLACE) > 1 or len(has & COMPARE) > 1 or len(has & set(TIME)) > 1:
        raise Invalid(f"two of a kind: {mods}")
    if "re" in has:
        only("re", *FLAGS, *PLACE)
        if any(mods.index(p) < mods.index("re") for p in has & PLACE):
            raise Invalid("re takes the value as it is written")
    if "cidr" in has:
        only("cidr")
    if "fieldref" in has:
        only("fieldref", "cased", *PLACE)
    if "exists" in has and has != {"exists"}:
        raise Invalid("exists goes alone")
    if has & set(TIME):
        only(min(has & set(TIME)), *COMPARE)
    elif has & COMPARE:
        only(min(has & COMPARE))
    for encoding in has & (WIDE | {"base64", "base64offset"}):
        if any(mods.index(p) < mods.index(encoding) for p in has & PLACE):
            raise Invalid(f"{encoding} would encode wildcards")
    if "base64offset" in has and "contains" not in has:
        raise Invalid("base64offset without contains")
    for wide in has & WIDE:
        if not {"base64", "base64offset"} & set(mods[mods.index(wide):]):
            raise Invalid(f"{wide} without Base64 after it")


def number_of(value):
    """A value of an event as an exact number."""
    if isinstance(value, bool) or value is None or isinstance(value, (dict, list)):
        return None
    text = text_of(value)
    if not re.fullmatch(r"[-+]?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?", text):
        return None
    return decimal.Decimal(text)


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def part_of_date(value, part):
    if not isinstance(value, str):
        return None
    pattern = r"(\d{4}-\d\d-\d\d)([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[-+]\d\d:?\d\d)?)?"
    if not re.fullmatch(pattern, value):
        return None
    try:
        date = dt.datetime.fromisoformat(value)
    except ValueError:
        return None
    return date.isocalendar()[1] if part == "week" else getattr(date, part)


def comparison(mods, bound):
    for name, test in [("lt", lambda v: v < bound), ("lte", lambda v: v <= bound),
                       ("gt", lambda v: v > bound), ("gte", lambda v: v >= bound)]:
        if name in mods:
            return test
    return lambda v: v == bound


def fill(text, lists):
    """The texts that come of filling the placeholders of a value."""
    pieces, i, found = [], 0, False
    while i < len(text):
        if text[i] == "\\" and text[i + 1: i + 2] == "%":
            pieces.append(["%"])
            i += 2
        elif text[i] == "\\" and text[i + 1: i + 2] in ("\\", "*", "?"):
            pieces.append([text[i: i + 2]])
            i += 2
        elif text[i] == "%" and "%" in text[i + 1:]:
            end = text.index("%", i + 1)
            name = text[i + 1: end]
            if name not in lists:
                raise Invalid(f"unknown list {name}")
            pieces.append([text_of(entry) for entry in lists[name]])
            found, i = True, end + 1
        else:
            pieces.append([text[i]])
            i += 1
    if not found:
        raise Invalid("expand without a placeholder")
    return ["".join(p) for p in itertools.product(*pieces)]


def dashed(tokens):
    """Every form of a value in which the signs that begin an option vary."""
    def word(token):
        return isinstance(token, str) and (token.isalnum() or token == "_")

    choices = []
    for i, token in enumerate(tokens):
        begins = (isinstance(token, str) and token in DASHES
                  and not (i > 0 and word(tokens[i - 1]))
                  and i + 1 < len(tokens) and word(tokens[i + 1]))
        choices.append(list(DASHES) if begins else [token])
    return [list(p) for p in itertools.product(*choices)]


def encoded(tokens, mods):
    """The texts that a value becomes by the modifiers for encoding."""
    data = plain(tokens).encode()
    for mod in mods:
        if mod in WIDE:
            data = plain(tokens).encode("utf-16-be" if mod == "utf16be" else "utf-16-le")
            if mod == "utf16":
                data = b"\xff\xfe" + data
        elif mod == "base64":
            return [base64.b64encode(data).decode()]
        elif mod == "base64offset":
            # Of each shift, the characters that depend on nothing but the value.
            forms = []
            for shift in range(3):
                text = base64.b64encode(b"\0" * shift + data).decode()
                first = math.ceil(shift * 8 / 6)
                last = (shift + len(data)) * 8 // 6
                forms.append(text[first:last])
            return forms
    raise Invalid("no Base64")


def value_test(mods, value, lists):
    """What one value of a line asks of (is the field there, its values, the event)."""
    cased = "cased" in mods
    place = next((m for m in mods if m in PLACE), None)

    if isinstance(value, (dict, list)):
        raise Invalid("a value is no map and no list")
    if "exists" in mods:
        if not isinstance(value, bool):
            raise Invalid("exists takes a boolean")
        return lambda there, values, event: there == value

    part = next((m for m in mods if m in TIME), None)
    if part:
        low, high = TIME[part]
        if not is_number(value) or value != int(value) or not low <= value <= high:
            raise Invalid(f"no {part}: {value}")
        test = comparison(mods, value)
        parts = lambda values: (part_of_date(v, part) for v in values)
        return lambda _, values, __: any(p is not None and test(p) for p in parts(values))
    if set(mods) & COMPARE:
        if not is_number(value):
            raise Invalid("no number")
        test = comparison(mods, decimal.Decimal(json.dumps(value)))
        numbers = lambda values: (number_of(v) for v in values)
        return lambda _, values, __: any(n is not None and test(n) for n in numbers(values))

    if value is None:
        return lambda there, values, _: not there or not values or None in values
    if "re" in mods:
        flags = 0
        for mod in mods:
            flags |= FLAGS.get(mod, 0)
        if re.search(r"\(\?(?:[=!]|<[=!]|P=)|\\[1-9]", str(value)):
            raise Invalid("not in linear time")
        try:
            before, behind = r"\A" * (place == "startswith"), r"\Z" * (place == "endswith")
            regex = re.compile(f"{before}(?:{value}){behind}", flags)
        except re.error as e:
            raise Invalid(str(e))
        return lambda _, values, __: any(
            v is not None and regex.search(text_of(v)) for v in values)
    if "cidr" in mods:
        try:
            network = ipaddress.ip_network(value)
        except ValueError as e:
            raise Invalid(str(e))

        def inside(v):
            try:
                return isinstance(v, str) and ipaddress.ip_address(v) in network
            except ValueError:
                return False
        return lambda _, values, __: any(map(inside, values))
    if "fieldref" in mods:
        if not isinstance(value, str):
            raise Invalid("a reference is a text")

        def refers(_, values, event):
            others = [list(text_of(o)) for o in leaves(event, value)[1] if o is not None]
            return any(fits(widen(o, place), text_of(v), cased)
                       for v in values if v is not None for o in others)
        return refers

    if not isinstance(value, str):
        if "expand" in mods:
            raise Invalid("expand without a placeholder")
        patterns = [list(text_of(value))]
    elif "expand" in mods:
        patterns = [parse(text) for text in fill(value, lists)]
    else:
        patterns = [parse(value)]
    if "windash" in mods:
        patterns = [form for p in patterns for form in dashed(p)]
    if {"base64", "base64offset"} & set(mods):
        cased = True
        patterns = [list(form) for p in patterns for form in encoded(p, mods)]
    patterns = [widen(p, place) for p in patterns]
    return lambda _, values, __: any(
        fits(p, text_of(v), cased) for p in patterns for v in values if v is not None)


def widen(tokens, place):
    before = [STAR] if place in ("contains", "endswith") else []
    after = [STAR] if place in ("contains", "startswith") else []
    return before + tokens + after


def line_test(key, value, lists):
    """One line of a map: field, modifiers and one or more values."""
    field, *mods = str(key).split("|")
    check_modifiers(mods)
    if isinstance(value, list) and "exists" in mods:
        raise Invalid("exists takes a boolean")
    keyword = field == ""
    if keyword and "re" not in mods and "contains" not in mods:
        mods = mods + ["contains"]
    values = value if isinstance(value, list) else [value]
    if not values:
        raise Invalid("no value")
    tests = [value_test(mods, v, lists) for v in values]
    join = all if "all" in mods else any

    def holds(event):
        there, found = (True, list(everything(event))) if keyword else leaves(event, field)
        return join(bool(t(there, found, event)) for t in tests) != ("neq" in mods)
    return holds


def search_test(search, lists):
    if isinstance(search, dict) and search:
        lines = [line_test(k, v, lists) for k, v in search.items()]
        return lambda event: all(line(event) for line in lines)
    if isinstance(search, list) and search:
        items = [search_test(item, lists) for item in search]
        return lambda event: any(item(event) for item in items)
    if isinstance(search, (dict, list)) or search is None:
        raise Invalid("a search without content")
    return line_test("", search, lists)


# ---------------------------------------------------------------- conditions


def condition_test(text, names):
    """A condition as a function of a map from names to truth."""
    if not isinstance(text, str):
        raise Invalid("a condition is a text")
    tokens = re.findall(r"[()]|[^\s()]+", text)
    words = [t.lower() for t in tokens]
    place = 0

    def peek():
        return words[place] if place < len(words) else None

    def either():
        nonlocal place
        parts = [both()]
        while peek() == "or":
            place += 1
            parts.append(both())
        return lambda truth: any([p(truth) for p in parts])

    def both():
        nonlocal place
        parts = [negated()]
        while peek() == "and":
            place += 1
            parts.append(negated())
        return lambda truth: all([p(truth) for p in parts])

    def negated():
        nonlocal place
        if peek() == "not":
            place += 1
            inner = negated()
            return lambda truth: not inner(truth)
        return atom()

    def atom():
        nonlocal place
        if peek() == "(":
            place += 1
            inner = either()
            if peek() != ")":
                raise Invalid("a bracket is not closed")
            place += 1
            return inner
        if place + 1 < len(words) and words[place + 1] == "of":
            count = {"1": any, "any": any, "all": all}.get(words[place])
            place += 2
            if count is None or peek() is None:
                raise Invalid("a count is 1, any or all")
            if peek() == "them":
                chosen = [n for n in names if not n.startswith("_")]
            else:
                pattern = re.escape(tokens[place]).replace(r"\*", ".*")
                chosen = [n for n in names if re.fullmatch(pattern, n)]
            place += 1
            if not chosen:
                raise Invalid("nothing fits")
            return lambda truth: count([truth[n] for n in chosen])
        name = tokens[place] if place < len(tokens) else None
        if name not in names or words[place] in ("and", "or", "not", "of", "them"):
            raise Invalid(f"unknown: {name}")
        place += 1
        return lambda truth: truth[name]

    test = either()
    if place != len(tokens):
        raise Invalid(f"left over: {tokens[place:]}")
    return test


def detection_test(detection, lists=None):
    """A `detection` map, or the map of a filter, as a function of an event."""
    if not isinstance(detection, dict):
        raise Invalid("detection is a map")
    if "timeframe" in detection:
        raise Invalid("timeframe")
    searches = {k: search_test(v, lists or {}) for k, v in detection.items() if k != "condition"}
    conditions = detection.get("condition")
    conditions = conditions if isinstance(conditions, list) else [conditions]
    if not conditions:
        raise Invalid("no condition")
    tests = [condition_test(c, list(searches)) for c in conditions]

    def holds(event):
        truth = {name: search(event) for name, search in searches.items()}
        return any(test(truth) for test in tests)
    return holds


# ---------------------------------------------------------------- documents


class Set:
    """The rules, filters and correlations of one text."""

    def __init__(self, text, lists=None):
        self.rules, self.correlations, filters = {}, {}, []
        self.ids = {}
        for document in load_all(text):
            if not isinstance(document, dict) or "title" not in document:
                raise Invalid("a document is a map with a title")
            key = document.get("id") or document.get("name")
            for reference in ("id", "name"):
                if reference in document:
                    self.ids[document[reference]] = key
            if "correlation" in document:
                self.correlations[key] = Correlation(key, document)
            elif "filter" in document:
                filters.append(document)
            elif not isinstance(document.get("logsource"), dict):
                raise Invalid("no log source")
            else:
                test = detection_test(document.get("detection"), lists)
                self.rules[key] = [document["logsource"], [test]]
        for document in filters:
            self.add_filter(document, lists)
        for correlation in self.correlations.values():
            correlation.link(self)

    def add_filter(self, document, lists):
        body = dict(document["filter"])
        chosen = body.pop("rules", "any")
        test = detection_test(body, lists)
        if chosen == "any":
            parts = document["logsource"].items()
            keys = [k for k, (source, _) in self.rules.items() if parts <= source.items()]
        else:
            keys = [self.ids.get(name) for name in chosen]
        for key in keys:
            if key not in self.rules:
                raise Invalid("a filter for an unknown rule")
            self.rules[key][1].append(test)

    def matches(self, event):
        return [k for k, (_, tests) in self.rules.items() if all(t(event) for t in tests)]

    def fires(self, events):
        """All fires of all correlations, as maps, in the order of their ends."""
        items = {key: [] for key in self.rules}
        for number, event in enumerate(events):
            for key in self.matches(event):
                items[key].append(Item(instant(event["time"]), number, key, event))
        pending = dict(self.correlations)
        fires = []
        while pending:
            ready = [c for c in pending.values() if all(r in items for r in c.rules)]
            for correlation in ready:
                found = correlation.run([i for r in correlation.rules for i in items[r]])
                items[correlation.key] = [
                    Item(f["first"], ("fire", correlation.key, n), correlation.key, f["fields"])
                    for n, f in enumerate(found)]
                fires += found
                del pending[correlation.key]
        fires.sort(key=lambda f: (f["to"], f["rule"]))
        return fires


class Item:
    """An event as one rule sees it."""

    def __init__(self, time, number, rule, event):
        self.time, self.number, self.rule, self.event = time, number, rule, event


def instant(text):
    return dt.datetime.fromisoformat(text).astimezone(dt.timezone.utc)


class Correlation:
    UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400, "M": 30 * 86400,
             "y": 365 * 86400}
    TYPES = {"event_count", "value_count", "value_sum", "value_avg", "value_percentile",
             "temporal", "temporal_ordered"}

    def __init__(self, key, document):
        self.key, body = key, document["correlation"]
        self.type = body.get("type")
        if self.type not in self.TYPES:
            raise Invalid("type")
        self.names = body.get("rules")
        if not isinstance(self.names, list) or not self.names:
            raise Invalid("rules")
        match = re.fullmatch(r"([0-9]+)([smhdwMy])", str(body.get("timespan")))
        if not match:
            raise Invalid("timespan")
        self.span = dt.timedelta(seconds=int(match[1]) * self.UNITS[match[2]])
        self.group_by = body.get("group-by") or []
        self.aliases = body.get("aliases") or {}
        self.expression = None
        temporal = self.type.startswith("temporal")
        condition = body.get("condition")
        if condition is None and temporal:
            condition = {"gte": len(self.names)}
        if isinstance(condition, str) and self.type == "temporal":
            self.expression = condition_test(condition, self.names)
            condition = {}
        elif not isinstance(condition, dict):
            raise Invalid("condition")
        condition = dict(condition)
        self.fields = condition.pop("field", None)
        if self.type.startswith("value_"):
            if not self.fields:
                raise Invalid("field")
            self.fields = self.fields if isinstance(self.fields, list) else [self.fields]
        self.percentile = condition.pop("percentile", None)
        if self.type == "value_percentile":
            if not is_number(self.percentile) or not 0 <= self.percentile <= 100:
                raise Invalid("percentile")
        if set(condition) - {"lt", "lte", "gt", "gte", "eq"}:
            raise Invalid("operator")
        if not condition and not self.expression:
            raise Invalid("condition without an operator")
        if not all(is_number(v) for v in condition.values()):
            raise Invalid("threshold")
        self.bounds = condition

    def link(self, rules):
        self.rules = []
        for name in self.names:
            if name not in rules.ids:
                raise Invalid(f"unknown rule {name}")
            self.rules.append(rules.ids[name])
        self.name_of = dict(zip(self.rules, self.names))
        seen, queue = set(), [self]
        while queue:
            for name in queue.pop().names:
                key = rules.ids.get(name)
                if key == self.key:
                    raise Invalid("cycle")
                if key in rules.correlations and key not in seen:
                    seen.add(key)
                    queue.append(rules.correlations[key])

    def groups(self, item):
        values = []
        for field in self.group_by:
            field = self.aliases.get(field, {}).get(self.name_of[item.rule], field)
            found = [v for v in leaves(item.event, field)[1] if v is not None]
            values.append(list(dict.fromkeys(found)))
        return itertools.product(*values)

    def measure(self, window):
        """The value that the bounds are held against; None if there is none."""
        if self.type == "event_count":
            return len({i.number for i in window})
        if self.type == "temporal":
            return len({i.rule for i in window})
        if self.type == "temporal_ordered":
            return self.longest(window)
        found = [[leaves(i.event, f)[1] for f in self.fields] for i in window]
        found = [[v[0] for v in row] for row in found
                 if all(len(v) == 1 and v[0] is not None for v in row)]
        if self.type == "value_count":
            return len({tuple(row) for row in found})
        numbers = sorted(row[0] for row in found if is_number(row[0]))
        if self.type == "value_sum":
            return sum(numbers)
        if not numbers:
            return None
        if self.type == "value_avg":
            return sum(numbers) / len(numbers)
        rank = math.ceil(Fraction(str(self.percentile)) * len(numbers) / 100)
        return numbers[max(1, rank) - 1]

    def longest(self, window):
        """How many steps, in order, one event each: every choice of events is tried."""
        choices = [[i for i in window if i.rule == rule] for rule in self.rules]
        for steps in itertools.product(*choices):
            times = [s.time for s in steps]
            if times == sorted(times) and len({s.number for s in steps}) == len(steps):
                return len(steps)
        return 0

    def holds(self, value, bounds):
        if value is None:
            return False
        test = {"gt": value.__gt__, "gte": value.__ge__, "lt": value.__lt__,
                "lte": value.__le__, "eq": value.__eq__}
        return all(test[name](bound) for name, bound in bounds.items())

    def run(self, items):
        groups = {}
        for item in items:
            for group in self.groups(item):
                groups.setdefault(group, []).append(item)
        fires = []
        for group, members in groups.items():
            fires += self.bursts(group, members)
        return fires

    def bursts(self, group, members):
        """Windows are judged at each moment at which there are events."""
        lower, upper = dict(self.bounds), {}
        if self.type in ("event_count", "value_count"):
            upper = {k: lower.pop(k) for k in ("lt", "lte", "eq") if k in lower}
            if "eq" in upper:
                lower["gte"] = upper["eq"]
            lower = lower or {"gte": 1}
        fires, run = [], None
        for now in sorted({i.time for i in members}):
            window = [i for i in members if now - self.span <= i.time <= now]
            value = self.measure(window)
            if self.expression:
                seen = {self.name_of[i.rule] for i in window}
                holds = self.expression({name: name in seen for name in self.names})
            else:
                holds = self.holds(value, lower)
            if all(i.time == now for i in window):
                run = None  # what came before lies too far back
            if not holds:
                run = None
                continue
            if run is None:
                run = {"rule": self.key, "group": dict(zip(self.group_by, group)),
                       "from": min(i.time for i in window), "to": now, "count": value,
                       "first": now, "fields": {}}
                for item in window:
                    if isinstance(item.event, dict):
                        run["fields"].update(item.event)
                run["fields"].update(run["group"])
                fires.append(run)
            run["to"], run["count"] = now, max(run["count"], value)
        return [f for f in fires if self.holds(f["count"], upper)]
