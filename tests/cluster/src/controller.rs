//! Controllers of other projects that run beside a cluster: the same programs as in a real one, started as processes.
//!
//! Under kwok no pod runs anything, so a Deployment of a controller is only looked at; who works is the process that is started here. It
//! speaks to the cluster as its administrator and stops when it is dropped, or when the process that holds it ends.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{
    Cluster, Error,
    argv::{Program, flag},
    cluster::{PATIENCE, POLL, connect},
    golang,
    host::{self, Stopwatch},
    modules::{self, Module},
    ports, process,
    process::Running,
    watchdog::Watchdog,
};

/// Where the GPU Operator reads what it makes its operands of.
const ASSETS: &str = "opt/gpu-operator";

const IMAGES: [&str; 5] =
    ["VALIDATOR_IMAGE", "GFD_IMAGE", "CUDA_BASE_IMAGE", "MIG_MANAGER_IMAGE", "DRIVER_MANAGER_IMAGE"];

/// A controller that can run beside a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Controller {
    /// The workflow controller of Argo Workflows. It works in namespace `argo`.
    ArgoWorkflows,
    /// The operator of the NVIDIA GPU Operator. It works in namespace `gpu-operator`.
    GpuOperator,
    /// Karpenter's core with the provider that makes nodes for kwok. It works in namespace `karpenter`.
    Karpenter,
}

/// Its program, and the files of its project that a test needs.
#[derive(Debug, Clone)]
pub struct Built {
    controller: Controller,
    program: PathBuf,
    files: PathBuf,
}

/// A controller at work. It stops when this is dropped.
#[derive(Debug)]
pub struct Beside {
    running: Vec<Running>,
    // Declared last: it must outlive the program that it watches.
    _watchdog: Watchdog,
}

impl Controller {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::ArgoWorkflows, Self::GpuOperator, Self::Karpenter];

    fn module(self) -> &'static Module {
        match self {
            Self::ArgoWorkflows => modules::ARGO_WORKFLOWS,
            Self::GpuOperator => modules::GPU_OPERATOR,
            Self::Karpenter => modules::KARPENTER,
        }
    }

    /// What people call it, as `gpu-operator`.
    pub fn name(self) -> &'static str {
        self.module().name
    }

    /// The namespace that it works in, which a test makes.
    fn namespace(self) -> &'static str {
        match self {
            Self::ArgoWorkflows => "argo",
            Self::GpuOperator => "gpu-operator",
            Self::Karpenter => "karpenter",
        }
    }

    /// Finds it, or builds it, which takes minutes the first time.
    pub fn build(self) -> Result<Built, Error> {
        self.build_with(|_| {})
    }

    /// As [`Controller::build`], with a line of progress before and after a build.
    pub fn build_with(self, progress: impl FnMut(&str)) -> Result<Built, Error> {
        let module = self.module();
        let bin = golang::found_or_built(module, progress)?;
        let files = bin.parent().map(Path::to_owned).unwrap_or_default();
        let program = module.programs.first().map(|program| bin.join(program.name)).unwrap_or_default();
        Ok(Built { controller: self, program, files })
    }
}

impl Built {
    /// Where its program is.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// Files that hold its definitions, one each. They have to stand before it starts.
    pub fn definitions(&self) -> Result<Vec<PathBuf>, Error> {
        let mut found = Vec::new();
        for folder in self.controller.module().folders.iter().filter(|folder| folder.to.ends_with("crds")) {
            let path = self.files.join(folder.to);
            for entry in fs::read_dir(&path).map_err(Error::io("read", &path))? {
                let file = entry.map_err(Error::io("read", &path))?.path();
                // GROUP_PLURAL.yaml; what else is there is no definition.
                if file.file_name().is_some_and(|name| name.to_string_lossy().contains('_')) {
                    found.push(file);
                }
            }
        }
        found.sort();
        Ok(found)
    }

    /// Starts it beside a cluster, with arguments of its own, and waits until it answers where it serves its health. `dir` is for
    /// its log and whatever else it needs.
    pub fn start(&self, cluster: &Cluster, dir: &Path, arguments: &[String]) -> Result<Beside, Error> {
        fs::create_dir_all(dir).map_err(Error::io("create", dir))?;
        let dir = dir.canonicalize().map_err(Error::io("find", dir))?;
        let [health, metrics] = ports::free().map_err(Error::Port)?;
        let mut program = match self.controller {
            Controller::ArgoWorkflows => self.argo_workflows(cluster),
            Controller::GpuOperator => self.gpu_operator(cluster, &dir, health)?,
            Controller::Karpenter => self.karpenter(cluster, [health, metrics]),
        };
        program.arguments.extend_from_slice(arguments);
        let watchdog = Watchdog::start()?;
        let running = Running::start(&program, &dir, &dir, watchdog.group()?)?;
        let mut beside = Beside { running: vec![running], _watchdog: watchdog };
        if self.controller != Controller::ArgoWorkflows {
            beside.answers(health, &dir)?;
        }
        Ok(beside)
    }

    /// It serves on ports that cannot be chosen, and works without them. Metrics are the matter of its ConfigMap.
    fn argo_workflows(&self, cluster: &Cluster) -> Program {
        Program {
            name: "workflow-controller",
            path: self.program.clone(),
            arguments: vec![
                flag("kubeconfig", cluster.kubeconfig().display()),
                flag("namespace", Controller::ArgoWorkflows.namespace()),
                flag("namespaced", false),
            ],
            environment: vec![("LEADER_ELECTION_DISABLE", "true".to_owned())],
        }
    }

    fn karpenter(&self, cluster: &Cluster, [health, metrics]: [u16; 2]) -> Program {
        Program {
            name: "karpenter",
            path: self.program.clone(),
            arguments: Vec::new(),
            environment: vec![
                ("KUBECONFIG", cluster.kubeconfig().display().to_string()),
                ("SYSTEM_NAMESPACE", Controller::Karpenter.namespace().to_owned()),
                ("DISABLE_LEADER_ELECTION", "true".to_owned()),
                ("HEALTH_PROBE_PORT", health.to_string()),
                ("METRICS_PORT", metrics.to_string()),
            ],
        }
    }

    /// It reads from paths that are fixed in it, so it gets a root directory of its own: nothing of the machine is touched.
    fn gpu_operator(&self, cluster: &Cluster, dir: &Path, health: u16) -> Result<Program, Error> {
        let root = dir.join("root");
        let name = "gpu-operator";
        golang::copy(&self.files.join("assets"), &root.join(ASSETS))?;
        golang::copy(&self.files.join("manifests"), &root.join(ASSETS).join("manifests"))?;
        write(&root.join("host-etc/os-release"), b"ID=ubuntu\nVERSION_ID=\"22.04\"\n")?;
        let target = root.join(name);
        fs::copy(&self.program, &target).map_err(Error::io("write", &target))?;
        // The kubeconfig names its files by absolute path.
        for file in cluster.credentials() {
            let content = fs::read(&file).map_err(Error::io("read", &file))?;
            write(&root.join(file.strip_prefix("/").unwrap_or(&file)), &content)?;
        }
        let tried = host::command("chroot").arg(&root).arg("/nothing").output();
        let tried = tried.map_err(|source| host::spawn("chroot", source))?;
        // 127 is "no such command": by then the root directory was another one.
        if tried.status.code() != Some(127) {
            let detail = String::from_utf8_lossy(&tried.stderr).trim().to_owned();
            return Err(Error::NoRootDirectory { detail });
        }
        Ok(Program {
            name,
            path: PathBuf::from("chroot"),
            arguments: vec![
                root.display().to_string(),
                format!("/{name}"),
                flag("kubeconfig", cluster.kubeconfig().display()),
                flag("health-probe-bind-address", format!("127.0.0.1:{health}")),
                flag("metrics-bind-address", 0),
            ],
            // Images of operands that a ClusterPolicy does not name; no node loads any.
            environment: IMAGES
                .map(|name| (name, "example.invalid/operand:1".to_owned()))
                .into_iter()
                .chain([("OPERATOR_NAMESPACE", Controller::GpuOperator.namespace().to_owned())])
                .collect(),
        })
    }
}

impl Beside {
    /// An error, with the end of its log, if it has ended.
    pub fn check(&mut self) -> Result<(), Error> {
        self.running.iter_mut().try_for_each(Running::check)
    }

    fn answers(&mut self, port: u16, logs: &Path) -> Result<(), Error> {
        let stopwatch = Stopwatch::start();
        while let Err(error) = connect(port) {
            self.check()?;
            if stopwatch.elapsed() > PATIENCE {
                return Err(Error::Late {
                    what: "the health of a controller",
                    seconds: PATIENCE.as_secs(),
                    dir: logs.to_owned(),
                    detail: error.to_string(),
                });
            }
            host::pause(POLL);
        }
        Ok(())
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        process::stop(&mut self.running);
    }
}

fn write(path: &Path, content: &[u8]) -> Result<(), Error> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
    }
    fs::write(path, content).map_err(Error::io("write", path))
}
