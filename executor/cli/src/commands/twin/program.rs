//! `twin program`: sends an argument vector and the files that it names to a twin, and ends as the program would.

use std::{
    collections::BTreeMap,
    io::Write,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use serde_json::json;
use switchback_face::Exit;

use crate::{error::Error, twin::Control};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Where the twin's control endpoints are
    #[arg(long, value_name = "URL")]
    endpoint: String,
    /// The program and its arguments
    #[arg(last = true, required = true, value_name = "ARGV")]
    argv: Vec<String>,
}

/// How the program ended.
#[derive(Deserialize)]
struct Ended {
    exit: i32,
    stdout: String,
    stderr: String,
}

/// Flags whose value is the name of a file that the program reads.
const FILES: [&str; 2] = ["--values", "-f"];

/// Files of a chart beside its templates.
const CHART: [&str; 2] = ["Chart.yaml", "values.yaml"];

pub(crate) async fn run(args: &Args) -> Result<Exit, Error> {
    let files = files(&args.argv);
    let (control, body) = (Control::new(&args.endpoint)?, json!({"argv": args.argv, "files": files}));
    let answer = tokio::task::spawn_blocking(move || control.post("/_twin/program", &body)).await;
    let answer = answer.map_err(|error| Error::Start(std::io::Error::other(error)))??;
    let ended: Ended = serde_json::from_value(answer)?;
    // As the program would write them, and as whoever called it reads them.
    let write = |to: &mut dyn Write, text: &str| {
        to.write_all(text.as_bytes()).and_then(|()| to.flush()).map_err(Error::Write)
    };
    write(&mut std::io::stdout(), &ended.stdout)?;
    write(&mut std::io::stderr(), &ended.stderr)?;
    end_as(ended.exit)
}

/// The files that an argument vector names, by path: values, and charts that are folders. What is not there is for the program
/// to complain about.
fn files(argv: &[String]) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    let mut bring = |path: PathBuf| {
        if let Ok(content) = std::fs::read_to_string(&path) {
            files.insert(path.to_string_lossy().into_owned(), content);
        }
    };
    for pair in argv.windows(2) {
        if let [flag, path] = pair
            && FILES.contains(&flag.as_str())
        {
            bring(PathBuf::from(path));
        }
    }
    for folder in argv.iter().map(Path::new).filter(|path| path.join("Chart.yaml").is_file()) {
        let templates = std::fs::read_dir(folder.join("templates")).into_iter().flatten().flatten();
        let about = CHART.into_iter().map(|name| folder.join(name));
        about.chain(templates.map(|entry| entry.path())).for_each(&mut bring);
    }
    files
}

/// Ends with the program's own exit code, which is none of ours.
#[expect(clippy::exit, reason = "a launcher's exit code is that of the program it stands for")]
fn end_as(code: i32) -> ! {
    std::process::exit(code)
}
