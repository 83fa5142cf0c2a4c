#!/usr/bin/env python3
"""Lists the public API of every crate, one line per item, under docs/api.

    tests/api-listing.py            compares with what is checked in; ends with 1 where it differs
    tests/api-listing.py --write    writes it anew: look at the difference before you commit it

It reads what rustdoc knows, as JSON, which a stable toolchain gives when it is asked with RUSTC_BOOTSTRAP=1; that is told to
rustdoc alone, or every dependency would be built anew. Needs python3 and nothing else. What is listed: every item that can be named from outside, under the path that users write; fields, variants
and methods; traits that a type implements, but for those that the compiler or a blanket implementation gives it.
"""

import difflib
import json
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
CRATES = ["deskferry", "deskferry-core", "deskferry-rehearsal", "deskferry-sink-salesforce", "deskferry-source-asapp", "deskferry-source-kayako", "deskferry-source-kustomer", "deskferry-source-trengo"]
# The names of fields that this was written against; a later format may be read wrongly.
FORMATS = range(55, 61)


def target():
    metadata = subprocess.run(
        ["cargo", "metadata", "--no-deps", "--format-version", "1"], cwd=ROOT, check=True, stdout=subprocess.PIPE
    )
    return pathlib.Path(json.loads(metadata.stdout)["target_directory"])


def documented(crate, rustdoc):
    command = ["cargo", "rustdoc", "--quiet", "-p", crate, "--lib", "--all-features", "--"]
    command += ["-Z", "unstable-options", "--output-format", "json"]
    subprocess.run(command, cwd=ROOT, check=True, env={**os.environ, "RUSTDOC": str(rustdoc), "RUSTDOCFLAGS": ""})
    path = target() / "doc" / (crate.replace("-", "_") + ".json")
    return json.loads(path.read_text())


def wrapper(folder):
    path = pathlib.Path(folder) / "rustdoc"
    path.write_text('#!/bin/sh\nRUSTC_BOOTSTRAP=1 exec rustdoc "$@"\n')
    path.chmod(0o755)
    return path


class Listing:
    def __init__(self, doc):
        self.index = doc["index"]
        self.paths = doc["paths"]
        self.lines = set()
        # Where each item can be named; the first wins in types.
        self.walked = set()
        self.module(self.index[str(doc["root"])], self.index[str(doc["root"])]["name"])

    def item(self, ident):
        return self.index.get(str(ident))

    def add(self, text):
        self.lines.add(" ".join(text.split()))

    # Items.

    def module(self, item, path):
        if (item["id"], path) in self.walked:
            return
        self.walked.add((item["id"], path))
        self.add(f"pub mod {path}")
        for child in item["inner"]["module"]["items"]:
            self.child(self.item(child), path)

    def child(self, item, path):
        if item is None:
            return
        (kind, inner), = item["inner"].items()
        if kind == "use":
            return self.reexport(inner, path)
        if kind == "impl" or item["visibility"] != "public" and kind != "macro":
            return
        self.named(item, kind, inner, f"{path}::{item['name']}")

    def reexport(self, use, path):
        found = self.item(use["id"]) if use["id"] is not None else None
        if found is None:
            star = "::*" if use["is_glob"] else ""
            self.add(f"pub use {path}::{use['name']} = {use['source']}{star}")
            return
        (kind, inner), = found["inner"].items()
        if use["is_glob"]:
            for child in inner.get("items", inner.get("variants", [])):
                self.child(self.item(child), path)
        else:
            self.named(found, kind, inner, f"{path}::{use['name']}")

    def named(self, item, kind, inner, path):
        if kind == "module":
            return self.module(item, path)
        mark = "#[non_exhaustive] " if any("non_exhaustive" in str(a) for a in item["attrs"]) else ""
        if kind == "function":
            self.add(f"pub {self.function(path, inner)}")
        elif kind in ("struct", "union"):
            self.add(f"{mark}pub {kind} {path}{self.params(inner['generics'])}{self.where(inner['generics'])}")
            self.fields(inner["kind"], path)
            self.impls(inner["impls"], path)
        elif kind == "enum":
            self.add(f"{mark}pub enum {path}{self.params(inner['generics'])}{self.where(inner['generics'])}")
            for variant in inner["variants"]:
                self.variant(self.item(variant), path)
            self.impls(inner["impls"], path)
        elif kind == "trait":
            bounds = self.bounds(inner["bounds"])
            self.add(f"pub trait {path}{self.params(inner['generics'])}{': ' + bounds if bounds else ''}{self.where(inner['generics'])}")
            for child in inner["items"]:
                self.member(self.item(child), path, "")
        elif kind == "type_alias":
            self.add(f"pub type {path}{self.params(inner['generics'])} = {self.type(inner['type'])}")
        elif kind == "constant":
            self.add(f"pub const {path}: {self.type(inner['type'])}")
        elif kind == "static":
            self.add(f"pub static {path}: {self.type(inner['type'])}")
        elif kind in ("macro", "proc_macro"):
            self.add(f"pub macro {path}!")
        else:
            self.add(f"pub {kind} {path}")

    def fields(self, kind, path):
        if kind == "unit":
            return
        if "tuple" in kind:
            for n, ident in enumerate(kind["tuple"]):
                field = self.item(ident) if ident is not None else None
                if field and field["visibility"] in ("public", "default"):
                    self.add(f"pub {path}::{n}: {self.type(field['inner']['struct_field'])}")
            return
        shape = kind.get("plain") or kind.get("struct")
        for ident in shape["fields"]:
            field = self.item(ident)
            if field and field["visibility"] in ("public", "default"):
                self.add(f"pub {path}::{field['name']}: {self.type(field['inner']['struct_field'])}")

    def variant(self, item, path):
        if item is None:
            return
        kind = item["inner"]["variant"]["kind"]
        name = f"{path}::{item['name']}"
        self.add(f"pub {name}")
        if kind != "plain":
            self.fields(kind, name)

    def impls(self, impls, path):
        for ident in impls:
            item = self.item(ident)
            if item is None:
                continue
            one = item["inner"]["impl"]
            if one["is_synthetic"] or one["blanket_impl"] is not None:
                continue
            if one["trait"] is None:
                for child in one["items"]:
                    self.member(self.item(child), path, "pub ")
                continue
            name = self.path(one["trait"])
            # How a derive is done is nobody's business.
            if name.startswith("StructuralPartialEq"):
                continue
            self.add(f"impl{self.params(one['generics'])} {name} for {self.type(one['for'])}{self.where(one['generics'])} ({path})")

    def member(self, item, path, lead):
        if item is None or (lead and item["visibility"] != "public"):
            return
        (kind, inner), = item["inner"].items()
        name = f"{path}::{item['name']}"
        if kind == "function":
            given = "" if lead or not inner.get("has_body") else " { … }"
            self.add(f"{lead or 'pub '}{self.function(name, inner)}{given}")
        elif kind == "assoc_const":
            self.add(f"pub const {name}: {self.type(inner['type'])}")
        elif kind == "assoc_type":
            bounds = self.bounds(inner["bounds"])
            self.add(f"pub type {name}{': ' + bounds if bounds else ''}")

    def function(self, name, inner):
        header, sig = inner["header"], inner["sig"]
        words = "".join(w + " " for w, on in [("const", header["is_const"]), ("async", header["is_async"]), ("unsafe", header["is_unsafe"])] if on)
        return f"{words}fn {name}{self.params(inner['generics'])}{self.signature(sig)}{self.where(inner['generics'])}"

    def signature(self, sig):
        inputs = ", ".join(f"{name}: {self.type(kind)}" for name, kind in sig["inputs"])
        output = "" if sig["output"] is None else f" -> {self.type(sig['output'])}"
        return f"({inputs}){output}"

    # Types.

    def type(self, kind):
        if kind == "infer":
            return "_"
        (name, inner), = kind.items()
        match name:
            case "resolved_path":
                return self.path(inner)
            case "generic" | "primitive":
                return inner
            case "tuple":
                return "(" + ", ".join(map(self.type, inner)) + ("," if len(inner) == 1 else "") + ")"
            case "slice":
                return f"[{self.type(inner)}]"
            case "array":
                return f"[{self.type(inner['type'])}; {inner['len']}]"
            case "borrowed_ref":
                life = f"{inner['lifetime']} " if inner["lifetime"] else ""
                return f"&{life}{'mut ' if inner['is_mutable'] else ''}{self.type(inner['type'])}"
            case "raw_pointer":
                return f"*{'mut' if inner['is_mutable'] else 'const'} {self.type(inner['type'])}"
            case "impl_trait":
                return f"impl {self.bounds(inner)}"
            case "dyn_trait":
                traits = [self.for_all(t["generic_params"]) + self.path(t["trait"]) for t in inner["traits"]]
                life = [inner["lifetime"]] if inner["lifetime"] else []
                return "dyn " + " + ".join(traits + life)
            case "function_pointer":
                return f"{self.for_all(inner['generic_params'])}fn{self.signature(inner['sig'])}"
            case "qualified_path":
                trait = inner["trait"]
                whole = f"<{self.type(inner['self_type'])} as {self.path(trait)}>" if trait and trait["path"] else self.type(inner["self_type"])
                return f"{whole}::{inner['name']}{self.args(inner['args'])}"
        return f"<{name}>"

    def path(self, path):
        return f"{path['path']}{self.args(path['args'])}"

    def args(self, args):
        if not args:
            return ""
        if "parenthesized" in args:
            given = args["parenthesized"]
            output = "" if given["output"] is None else f" -> {self.type(given['output'])}"
            return "(" + ", ".join(map(self.type, given["inputs"])) + ")" + output
        if "angle_bracketed" not in args:
            return "(..)"
        given = args["angle_bracketed"]
        out = [self.arg(a) for a in given["args"]] + [self.constraint(c) for c in given["constraints"]]
        return "<" + ", ".join(out) + ">" if out else ""

    def arg(self, arg):
        if arg == "infer":
            return "_"
        (name, inner), = arg.items()
        return {"lifetime": lambda: inner, "type": lambda: self.type(inner), "const": lambda: inner["expr"]}[name]()

    def constraint(self, one):
        (name, inner), = one["binding"].items()
        if name == "equality":
            return f"{one['name']} = {self.term(inner)}"
        return f"{one['name']}: {self.bounds(inner)}"

    def term(self, term):
        (name, inner), = term.items()
        return self.type(inner) if name == "type" else inner["expr"]

    def bounds(self, bounds):
        out = []
        for bound in bounds:
            (name, inner), = bound.items()
            if name == "trait_bound":
                lead = {"none": "", "maybe": "?"}.get(inner["modifier"], inner["modifier"] + " ")
                out.append(lead + self.for_all(inner["generic_params"]) + self.path(inner["trait"]))
            elif name == "outlives":
                out.append(inner)
            else:
                out.append("use<..>")
        return " + ".join(out)

    def for_all(self, params):
        names = [p["name"] for p in params]
        return f"for<{', '.join(names)}> " if names else ""

    def params(self, generics):
        out = []
        for param in generics["params"]:
            (kind, inner), = param["kind"].items()
            if kind == "lifetime":
                out.append(param["name"] + (": " + " + ".join(inner["outlives"]) if inner["outlives"] else ""))
            elif kind == "type" and not inner["is_synthetic"]:
                bounds = self.bounds(inner["bounds"])
                default = f" = {self.type(inner['default'])}" if inner["default"] else ""
                out.append(param["name"] + (f": {bounds}" if bounds else "") + default)
            elif kind == "const":
                out.append(f"const {param['name']}: {self.type(inner['type'])}")
        return "<" + ", ".join(out) + ">" if out else ""

    def where(self, generics):
        out = []
        for one in generics["where_predicates"]:
            (name, inner), = one.items()
            if name == "bound_predicate":
                out.append(f"{self.for_all(inner['generic_params'])}{self.type(inner['type'])}: {self.bounds(inner['bounds'])}")
            elif name == "lifetime_predicate":
                out.append(f"{inner['lifetime']}: {' + '.join(inner['outlives'])}")
            else:
                out.append(f"{self.type(inner['lhs'])} = {self.term(inner['rhs'])}")
        return " where " + ", ".join(out) if out else ""


def listing(crate, rustdoc):
    doc = documented(crate, rustdoc)
    if doc["format_version"] not in FORMATS:
        sys.exit(f"rustdoc writes format {doc['format_version']}; this was written against {FORMATS.start} to {FORMATS.stop - 1}: look at the listings and widen FORMATS")
    return "".join(line + "\n" for line in sorted(Listing(doc).lines))


def main():
    write = sys.argv[1:] == ["--write"]
    if sys.argv[1:] and not write:
        sys.exit(__doc__)
    differs = False
    folder = tempfile.TemporaryDirectory()
    rustdoc = wrapper(folder.name)
    for crate in CRATES:
        path = ROOT / "docs" / "api" / f"{crate}.txt"
        now = listing(crate, rustdoc)
        if write:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(now)
            print(f"{crate}: {now.count(chr(10))} lines")
            continue
        before = path.read_text() if path.exists() else ""
        difference = list(difflib.unified_diff(before.splitlines(), now.splitlines(), str(path.relative_to(ROOT)), "what the code has", n=0, lineterm=""))
        if difference:
            differs = True
            print("\n".join(difference))
        else:
            print(f"{crate}: as listed")
    if differs:
        print("\nThe public API is another one than docs/api says. If that is meant: `tests/api-listing.py --write`, look at the")
        print("difference, say in CHANGELOG.md what users notice, and commit the listing with the change.")
    return 1 if differs else 0


if __name__ == "__main__":
    sys.exit(main())
