//! What a person is told about broken manifests: one golden text per case in fixtures/manifests/broken.

use std::{fs, path::Path};

use switchback_face::{Exit, Look, SafeText, Sources, diagnostics};
use switchback_planner::{
    components::{deployment::DeploymentUpgrade, karpenter::KarpenterUpgrade},
    manifest, source,
};
use switchback_schemas::{Diagnostic, codes};
use switchback_tests_it::{files, golden, root};

use crate::registry;

/// A case that brings its own Platform says so in its name; the others are read beside the valid one.
fn case(path: &Path) -> Vec<(String, Vec<u8>)> {
    let name = path.file_name().expect("a file").to_string_lossy().into_owned();
    let mut read = Vec::new();
    if !name.starts_with("platform-") {
        let platform = root().join("fixtures/manifests/valid/platform.yaml");
        read.push(("platform.yaml".to_owned(), fs::read(platform).expect("it is there")));
    }
    read.push((name, fs::read(path).expect("it is there")));
    read
}

#[test]
fn every_broken_manifest_gets_its_diagnostics() {
    let cases = files(&root().join("fixtures/manifests/broken"), &["yaml"]).expect("the directory is there");
    assert!(cases.len() > 20, "cases are missing: {}", cases.len());
    let mut differences = Vec::new();
    for path in cases {
        let files = case(&path);
        let (manifests, found) =
            manifest::read(registry().kinds(), files.iter().map(|(name, bytes)| (name.as_str(), bytes)));
        assert!(manifests.is_none(), "{} is read as if nothing was wrong", path.display());
        assert!(found.iter().any(Diagnostic::is_error), "{}", path.display());
        assert_ne!(Exit::of(&found), Exit::Bug, "{}: {found:#?}", path.display());
        for diagnostic in &found {
            assert!(diagnostic.help.is_some(), "{}: no help in {diagnostic:#?}", path.display());
        }
        let text = diagnostics::text(&found, &Sources::from_iter(files), Look::PLAIN);
        assert!(!text.contains("hunter2"), "a password is shown:\n{text}");
        differences.extend(golden(&path.with_extension("txt"), &text).err());
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn the_valid_manifests_are_read_whatever_the_order_and_names_of_files() {
    let paths =
        files(&root().join("fixtures/manifests/valid"), &["yaml", "yml"]).expect("the directory is there");
    let read: Vec<(String, Vec<u8>)> =
        paths.iter().map(|path| (path.display().to_string(), fs::read(path).expect("it is there"))).collect();
    let (manifests, found) = manifest::read(registry().kinds(), read.clone());
    assert_eq!(found, []);
    let manifests = manifests.expect("nothing is wrong");
    assert_eq!(manifests.of::<DeploymentUpgrade>().count(), 2);

    let renamed = read.iter().rev().enumerate().map(|(index, (_, bytes))| (format!("{index}.yaml"), bytes));
    let (shuffled, found) = manifest::read(registry().kinds(), renamed);
    assert_eq!(found, []);
    let shuffled = shuffled.expect("nothing is wrong");
    assert_eq!(shuffled.digest, manifests.digest);
    let names = |manifests: &manifest::Manifests| -> Vec<String> {
        manifests.of::<DeploymentUpgrade>().map(|document| document.metadata.name.to_string()).collect()
    };
    assert_eq!(names(&shuffled), names(&manifests));
}

#[test]
fn a_label_points_at_what_a_pointer_names() {
    let text =
        fs::read_to_string(root().join("fixtures/manifests/valid/upgrades.yaml")).expect("it is there");
    let platform = fs::read(root().join("fixtures/manifests/valid/platform.yaml")).expect("it is there");
    let verifications =
        fs::read(root().join("fixtures/manifests/valid/verifications.yml")).expect("it is there");
    let (manifests, _) = manifest::read(
        registry().kinds(),
        [("u", text.as_bytes()), ("p", platform.as_slice()), ("v", verifications.as_slice())],
    );
    let manifests = manifests.expect("nothing is wrong");
    let karpenter = manifests.of::<KarpenterUpgrade>().next().expect("there is one");
    let at = |pointer: &str| {
        let label = manifests.label(karpenter.doc, pointer, "x");
        assert_eq!(label.file, "u");
        text[label.start..label.end].to_owned()
    };
    assert_eq!(at("/spec/to"), "\"1.8.8\"");
    assert_eq!(at("/spec/rollout"), "rollout");
    assert_eq!(at("/spec/verify/0"), "nodes-ready");
    assert_eq!(at("/spec/set/settings.featureGates.spotToSpotConsolidation"), "true");
    assert_eq!(at("/spec/rollout/soak"), "rollout", "what is not written is looked for where it would stand");
    assert_eq!(at(""), "apiVersion");
}

#[test]
fn large_files_are_refused_before_they_are_parsed() {
    // Were it parsed, this would be two faults in each line.
    let huge = "a: {\n".repeat(50 * 1024 * 1024 / 5);
    let (_, found) = manifest::read(registry().kinds(), [("huge.yaml", huge)]);
    let codes: Vec<&str> = found.iter().map(|diagnostic| diagnostic.code.as_str()).collect();
    assert_eq!(codes, [codes::SOURCE_TOO_LARGE.as_str()]);
}

/// A setting that nothing reads promises something that nobody keeps.
#[test]
fn p22_settings_that_the_chosen_mode_ignores_are_refused() {
    let upgrades =
        fs::read_to_string(root().join("fixtures/manifests/valid/upgrades.yaml")).expect("it is there");
    let ignored = upgrades.replace("nodes: drifted", "nodes: none");
    assert_ne!(ignored, upgrades);
    let (_, found) = manifest::read(registry().kinds(), [("upgrades.yaml", ignored)]);
    let conflict =
        found.iter().find(|diagnostic| diagnostic.code == codes::MANIFEST_CONFLICT).expect("a conflict");
    assert!(conflict.message.contains("`nodes: none`"), "{}", conflict.message);
    assert_eq!(conflict.labels.len(), 2, "both places are shown");
}

#[test]
fn a_set_full_of_faults_is_told_in_part() {
    let unknown = (0..3_000).map(|n| format!("  field{n}: 1\n")).collect::<Vec<_>>().concat();
    let text =
        format!("apiVersion: switchback.dev/v1alpha1\nkind: Waiver\nmetadata: {{name: a}}\nspec:\n{unknown}");
    let (_, found) = manifest::read(registry().kinds(), [("a.yaml", text)]);
    let told = found.iter().filter(|diagnostic| !diagnostic.labels.is_empty()).count();
    assert_eq!(told, source::MAX_FAULTS);
    assert!(found.iter().any(|diagnostic| diagnostic.code == codes::SOURCE_MORE));
}

#[test]
fn a_file_full_of_faults_is_told_in_part() {
    let text = format!("a:\n{}", "  - !tag x\n".repeat(5_000));
    let (_, found) = source::read("a.yaml", text.as_bytes());
    assert_eq!(found.len(), source::MAX_FAULTS + 1);
    let last = found.last().expect("there are many");
    assert_eq!(last.code, codes::SOURCE_MORE);
}

#[test]
fn what_the_reader_refuses_to_show_is_what_output_replaces() {
    let refused = |text: &str| {
        let (_, found) = source::read("a.yaml", format!("a: 'x{text}y'").as_bytes());
        found.iter().any(|diagnostic| diagnostic.code == codes::YAML_INVISIBLE)
    };
    let all = (0..=0x0010_ffff).filter_map(char::from_u32);
    let all = all.filter(|c| !matches!(c, '\r' | '\n' | '\t' | '\u{1b}'));
    let (replaced, shown): (Vec<char>, Vec<char>) =
        all.partition(|c| SafeText::line(&c.to_string(), 9).as_str() != c.to_string());
    assert!(replaced.len() > 50, "{replaced:?}");
    for c in replaced {
        assert!(refused(&c.to_string()), "U+{:04X} is replaced and not refused", u32::from(c));
    }
    // The reader looks at each character by itself, before anything else: a million documents are not needed.
    for some in shown.chunks(4096) {
        if refused(&some.iter().collect::<String>()) {
            let one = some.iter().find(|c| refused(&c.to_string()));
            panic!("{:X?} is refused and not replaced", one.map(|c| u32::from(*c)));
        }
    }
}
