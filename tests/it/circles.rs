//! Modules form no circles: below every module, its children use each other in one direction.
//!
//! An edge goes from a child to another child of the same module when anything inside of the first names a path into
//! the second: in a `use`, in an expression, in a type, in the tokens of a macro. Naming an item of an ancestor is no
//! edge, and what is built for tests only is left out.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use petgraph::{algo::tarjan_scc, graphmap::DiGraphMap};
use proc_macro2::{TokenStream, TokenTree};
use switchback_tests_it::root;
use syn::{Item, ItemMod, ItemUse, Macro, UseTree, visit::Visit};

use crate::workspace::members;

/// A module of a crate, by its path from the crate's root.
type Module = Vec<String>;

/// One crate's modules and the paths that each names.
struct Crate {
    name: String,
    modules: BTreeMap<Module, BTreeSet<Module>>,
}

impl Crate {
    /// Follows `mod` lines from the file at a crate's root.
    fn read(name: &str, file: &Path) -> Self {
        let mut read = Self { name: name.to_owned(), modules: BTreeMap::new() };
        let directory = file.parent().expect("a crate has a directory");
        read.file(&Vec::new(), file, directory);
        read
    }

    /// Reads the file of a module; `below` is where the files of its children are.
    fn file(&mut self, module: &Module, file: &Path, below: &Path) {
        let text = fs::read_to_string(file).expect("the file of a module");
        let parsed = syn::parse_file(&text).expect("Rust");
        self.items(module, &parsed.items, below);
    }

    fn items(&mut self, module: &Module, items: &[Item], below: &Path) {
        let mut paths = Paths { module, found: BTreeSet::new() };
        for item in items {
            match item {
                Item::Mod(child) if for_tests(&child.attrs) => {}
                Item::Mod(child) => self.child(module, child, below),
                item if !for_tests(attributes(item)) => paths.visit_item(item),
                _ => {}
            }
        }
        let found = paths.found;
        self.modules.entry(module.clone()).or_default().extend(found);
    }

    fn child(&mut self, module: &Module, child: &ItemMod, below: &Path) {
        let name = child.ident.to_string();
        let inner: Module = module.iter().cloned().chain([name.clone()]).collect();
        let below = below.join(&name);
        if let Some((_, items)) = &child.content {
            return self.items(&inner, items, &below);
        }
        let beside = below.with_extension("rs");
        let file = if beside.is_file() { beside } else { below.join("mod.rs") };
        self.file(&inner, &file, &below);
    }

    /// The groups of children that use each other in a circle, by the module that holds them.
    fn circles(&self) -> BTreeMap<String, Vec<BTreeSet<String>>> {
        let mut edges: BTreeMap<&[String], BTreeSet<(&str, &str)>> = BTreeMap::new();
        for (module, paths) in &self.modules {
            for path in paths {
                let shared = module.iter().zip(path).take_while(|(one, other)| one == other).count();
                let (Some(from), Some(to)) = (module.get(shared), path.get(shared)) else { continue };
                // What is no module is an item of the ancestor.
                if self.modules.contains_key(&path[..=shared]) {
                    edges.entry(&path[..shared]).or_default().insert((from, to));
                }
            }
        }
        let mut circles = BTreeMap::new();
        for (parent, edges) in edges {
            let graph = DiGraphMap::<&str, ()>::from_edges(edges);
            let mut groups: Vec<BTreeSet<String>> = tarjan_scc(&graph)
                .into_iter()
                .filter(|group| group.len() > 1)
                .map(|group| group.into_iter().map(str::to_owned).collect())
                .collect();
            groups.sort();
            if !groups.is_empty() {
                let path: Vec<&str> =
                    std::iter::once(self.name.as_str()).chain(parent.iter().map(String::as_str)).collect();
                circles.insert(path.join("::"), groups);
            }
        }
        circles
    }
}

/// Whether an item is there for tests only.
pub(crate) fn for_tests(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute.meta.require_list().is_ok_and(|list| list.tokens.to_string() == "test")
    })
}

fn attributes(item: &Item) -> &[syn::Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

/// Collects the paths into this crate that a module names.
struct Paths<'a> {
    module: &'a Module,
    found: BTreeSet<Module>,
}

impl Paths<'_> {
    /// Takes a path that begins with `crate`, `self` or `super`; all others are other crates' or of this module.
    fn add(&mut self, segments: &[String]) {
        let mut segments = segments.iter().map(String::as_str).peekable();
        let mut from = match segments.next() {
            Some("crate") => Vec::new(),
            Some("self") => self.module.clone(),
            Some("super") => self.module[..self.module.len().saturating_sub(1)].to_vec(),
            _ => return,
        };
        while segments.next_if_eq(&"super").is_some() {
            from.pop();
        }
        from.extend(segments.map(str::to_owned));
        self.found.insert(from);
    }

    fn tree(&mut self, before: &[String], tree: &UseTree) {
        let with =
            |name: &syn::Ident| -> Vec<String> { before.iter().cloned().chain([name.to_string()]).collect() };
        match tree {
            UseTree::Path(path) => self.tree(&with(&path.ident), &path.tree),
            UseTree::Name(name) if name.ident == "self" => self.add(before),
            UseTree::Name(name) => self.add(&with(&name.ident)),
            UseTree::Rename(name) if name.ident == "self" => self.add(before),
            UseTree::Rename(name) => self.add(&with(&name.ident)),
            UseTree::Glob(_) => self.add(before),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.tree(before, tree)),
        }
    }

    /// Paths that stand in the tokens of a macro.
    fn tokens(&mut self, tokens: TokenStream) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut at = 0;
        while let Some(token) = tokens.get(at) {
            at += 1;
            match token {
                TokenTree::Group(group) => self.tokens(group.stream()),
                TokenTree::Ident(first) => {
                    let mut segments = vec![first.to_string()];
                    while let (
                        Some(TokenTree::Punct(one)),
                        Some(TokenTree::Punct(two)),
                        Some(TokenTree::Ident(name)),
                    ) = (tokens.get(at), tokens.get(at + 1), tokens.get(at + 2))
                    {
                        if one.as_char() != ':' || two.as_char() != ':' {
                            break;
                        }
                        segments.push(name.to_string());
                        at += 3;
                    }
                    self.add(&segments);
                }
                TokenTree::Punct(_) | TokenTree::Literal(_) => {}
            }
        }
    }
}

impl<'ast> Visit<'ast> for Paths<'_> {
    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        self.tree(&[], &item.tree);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        self.add(&segments);
        syn::visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, item: &'ast Macro) {
        self.tokens(item.tokens.clone());
        syn::visit::visit_macro(self, item);
    }
}

/// The roots of every library and binary that is not a test.
fn roots() -> Vec<(String, PathBuf)> {
    let mut roots = Vec::new();
    for member in members() {
        for file in ["src/lib.rs", "src/main.rs"] {
            let file = root().join(&member).join(file);
            if file.is_file() {
                roots.push((member.clone(), file));
            }
        }
    }
    assert!(roots.len() > 10, "{roots:?}");
    roots
}

#[test]
fn modules_use_each_other_in_one_direction() {
    let circle = |(parent, groups): (String, Vec<BTreeSet<String>>)| format!("{parent}: {groups:?}");
    let found: Vec<String> = roots()
        .into_iter()
        .flat_map(|(name, file)| Crate::read(&name, &file).circles())
        .map(circle)
        .collect();
    assert!(found.is_empty(), "modules that use each other in a circle:\n{}", found.join("\n"));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn circles(root: &str, files: &[(&str, &str)]) -> Vec<String> {
        let place = tempfile::tempdir().expect("a directory");
        fs::write(place.path().join("lib.rs"), root).expect("a file");
        for (name, text) in files {
            let file = place.path().join(name);
            fs::create_dir_all(file.parent().expect("a directory")).expect("a directory");
            fs::write(file, text).expect("a file");
        }
        let circles = Crate::read("it", &place.path().join("lib.rs")).circles();
        circles.into_iter().map(|(parent, groups)| format!("{parent}: {groups:?}")).collect()
    }

    #[test]
    fn a_use_back_is_a_circle() {
        let found =
            circles("mod a; mod b;", &[("a.rs", "use crate::b::B;"), ("b.rs", "use super::{a::A, Item};")]);
        assert_eq!(found, [r#"it: [{"a", "b"}]"#]);
    }

    #[test]
    fn an_inline_path_and_a_macro_count() {
        let files = [
            ("a/mod.rs", "mod c;"),
            ("a/c.rs", "fn f(_: crate::b::B) {}"),
            ("b.rs", "fn f() { format!(\"{}\", crate::a::A); }"),
        ];
        assert_eq!(circles("mod a; mod b;", &files), [r#"it: [{"a", "b"}]"#]);
    }

    #[test]
    fn ancestors_and_tests_do_not() {
        let files = [
            ("a.rs", "use super::Item; use crate::b::B;"),
            (
                "b.rs",
                "#[cfg(test)] mod tests { use crate::a::A; } use crate::Item; #[cfg(test)] use crate::a::A;",
            ),
        ];
        assert!(circles("mod a; mod b; pub use a::Item;", &files).is_empty());
    }
}
