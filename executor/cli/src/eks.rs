//! EKS without the AWS CLI: a kubeconfig whose users call `aws eks get-token` (or `aws-iam-authenticator token`) is used through a
//! copy whose users call `switchback-exec eks-token` instead. The copy goes to helm, too.

use std::{
    io::{self, Write as _},
    path::Path,
};

use serde_yaml::{Mapping, Value};
use switchback_aws::ExecCall;
use tempfile::{NamedTempFile, TempPath};

use crate::error::Error;

/// The copy, private to this user and gone with the value; `None` when no user calls a program of AWS.
pub(crate) fn copy(kubeconfig: &Path, text: &str) -> Result<Option<TempPath>, Error> {
    let own = std::env::current_exe().map_err(Error::Start)?;
    // What cannot be read here is refused by the client, which says it better.
    let Ok(Some(text)) = rewritten(text, &own.to_string_lossy()) else { return Ok(None) };
    let write = |text: &str| -> io::Result<TempPath> {
        let mut file = NamedTempFile::with_prefix("switchback-kubeconfig-")?;
        file.write_all(text.as_bytes())?;
        Ok(file.into_temp_path())
    };
    write(&text).map(Some).map_err(|source| Error::Copy { path: kubeconfig.to_owned(), source })
}

/// The kubeconfig with our own program; `None` when there is nothing to replace.
fn rewritten(text: &str, own: &str) -> Result<Option<String>, serde_yaml::Error> {
    let mut config: Value = serde_yaml::from_str(text)?;
    let users = config.get_mut("users").and_then(Value::as_sequence_mut);
    let mut changed = false;
    for user in users.into_iter().flatten().filter_map(|entry| entry.get_mut("user")) {
        let Some(exec) = user.get("exec").and_then(|exec| ours(exec, own)) else { continue };
        if let Some(user) = user.as_mapping_mut() {
            user.insert("exec".into(), exec);
            changed = true;
        }
    }
    changed.then(|| serde_yaml::to_string(&config)).transpose()
}

/// An `exec` entry that asks us; `None` for one that is not AWS's, or says something that we do not understand.
fn ours(exec: &Value, own: &str) -> Option<Value> {
    let text = |value: &Value, name: &str| value.get(name)?.as_str().map(str::to_owned);
    let list = |name: &str| exec.get(name).and_then(Value::as_sequence).into_iter().flatten();
    let args: Vec<String> = list("args").filter_map(|arg| arg.as_str().map(str::to_owned)).collect();
    let env: Vec<(String, String)> =
        list("env").filter_map(|entry| Some((text(entry, "name")?, text(entry, "value")?))).collect();
    let command = text(exec, "command")?;
    let asked = ExecCall { command: &command, args: &args, env: &env }.cluster()?;
    let mut words = vec!["eks-token".to_owned(), "--cluster-name".to_owned(), asked.cluster];
    for (flag, value) in
        [("--region", asked.region), ("--role-arn", asked.role), ("--profile", asked.profile)]
    {
        words.extend(value.into_iter().flat_map(|value| [flag.to_owned(), value]));
    }
    let mut entry = Mapping::new();
    entry.insert("apiVersion".into(), "client.authentication.k8s.io/v1".into());
    entry.insert("command".into(), own.into());
    entry.insert("args".into(), Value::Sequence(words.into_iter().map(Value::from).collect()));
    entry.insert("interactiveMode".into(), "Never".into());
    Some(Value::Mapping(entry))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KUBECONFIG: &str = "\
apiVersion: v1
kind: Config
users:
- name: mlops
  user:
    exec:
      apiVersion: client.authentication.k8s.io/v1beta1
      command: aws
      args: [--region, eu-west-1, eks, get-token, --cluster-name, mlops, --output, json]
      env: [{name: AWS_PROFILE, value: ml}]
- name: other
  user:
    exec: {apiVersion: client.authentication.k8s.io/v1, command: kubelogin, args: [get-token]}
";

    #[test]
    fn a_user_of_the_aws_cli_becomes_one_of_ours_and_others_stay() {
        let text = rewritten(KUBECONFIG, "/bin/switchback-exec").expect("YAML").expect("something changed");
        let config: Value = serde_yaml::from_str(&text).expect("YAML");
        let exec = |n: usize| &config["users"][n]["user"]["exec"];
        assert_eq!(exec(0)["command"].as_str(), Some("/bin/switchback-exec"));
        let args: Vec<&str> =
            exec(0)["args"].as_sequence().expect("arguments").iter().filter_map(Value::as_str).collect();
        let wanted = ["eks-token", "--cluster-name", "mlops", "--region", "eu-west-1", "--profile", "ml"];
        assert_eq!(args, wanted);
        assert_eq!(exec(1)["command"].as_str(), Some("kubelogin"));
    }

    #[test]
    fn a_kubeconfig_without_aws_is_used_as_it_is() {
        assert_eq!(rewritten("users: [{name: a, user: {token: t}}]", "x").expect("YAML"), None);
        assert_eq!(rewritten("{}", "x").expect("YAML"), None);
    }
}
