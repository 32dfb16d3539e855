//! A code that nothing is refused with explains nothing.

use std::{collections::BTreeSet, fs, path::Path};

use proc_macro2::{TokenStream, TokenTree};
use switchback_schemas::codes;
use switchback_tests_it::root;
use syn::{Ident, ItemMod, Macro, visit::Visit};

use crate::circles::for_tests;

/// The names in the source files below a directory; tests and the table itself left out. Comments and texts name nothing.
fn names(directory: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(directory).expect("a directory").map(|entry| entry.expect("an entry")) {
        let (path, name) = (entry.path(), entry.file_name());
        if path.is_dir() {
            if name != "tests" && name != "target" {
                names(&path, found);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs")
            && name != "tests.rs"
            && !path.ends_with("schemas/src/codes.rs")
        {
            let text = fs::read_to_string(&path).expect("source is UTF-8");
            Names(found).visit_file(&syn::parse_file(&text).expect("Rust"));
        }
    }
}

/// Collects every name in a file, in the tokens of macros, too.
struct Names<'a>(&'a mut BTreeSet<String>);

impl Names<'_> {
    fn tokens(&mut self, tokens: TokenStream) {
        for token in tokens {
            match token {
                TokenTree::Group(group) => self.tokens(group.stream()),
                TokenTree::Ident(name) => drop(self.0.insert(name.to_string())),
                TokenTree::Punct(_) | TokenTree::Literal(_) => {}
            }
        }
    }
}

impl<'ast> Visit<'ast> for Names<'_> {
    fn visit_item_mod(&mut self, module: &'ast ItemMod) {
        if !for_tests(&module.attrs) {
            syn::visit::visit_item_mod(self, module);
        }
    }

    fn visit_ident(&mut self, name: &'ast Ident) {
        self.0.insert(name.to_string());
    }

    fn visit_macro(&mut self, item: &'ast Macro) {
        self.tokens(item.tokens.clone());
        syn::visit::visit_macro(self, item);
    }
}

/// The constant of each code, as the table's source has them.
fn constants() -> Vec<(String, String)> {
    let table = fs::read_to_string(root().join("schemas/src/codes.rs")).expect("the table");
    let row = |line: &str| {
        let (name, rest) = line.trim().split_once(" = \"")?;
        let code = rest.split('"').next().filter(|code| codes::Code::find(code).is_some())?;
        Some((name.to_owned(), code.to_owned()))
    };
    table.lines().filter_map(row).collect()
}

#[test]
fn every_code_is_given_to_something() {
    let mut used = BTreeSet::new();
    for room in ["schemas", "planner", "executor"] {
        names(&root().join(room), &mut used);
    }
    let constants = constants();
    assert_eq!(constants.len(), codes::ALL.len(), "the table's rows are read from its source");
    let unused: Vec<&(String, String)> = constants.iter().filter(|(name, _)| !used.contains(name)).collect();
    assert!(unused.is_empty(), "codes that nothing is refused with: {unused:?}");
}

#[test]
fn a_comment_a_text_and_a_test_use_no_code() {
    let file = "/// IN_DOC\nfn f() { g(codes::IN_CODE); h!(codes::IN_MACRO, \"IN_TEXT\"); } // IN_COMMENT\n\
                #[cfg(test)] mod tests { fn t() { codes::IN_TEST; } }";
    let mut used = BTreeSet::new();
    Names(&mut used).visit_file(&syn::parse_file(file).expect("Rust"));
    used.retain(|name| name.starts_with("IN_"));
    assert_eq!(used, ["IN_CODE", "IN_MACRO"].map(str::to_owned).into());
}
