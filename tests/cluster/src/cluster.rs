//! Starting and stopping one cluster.

use std::{
    fs,
    net::TcpStream,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{
    Error, Kubectl, Toolchain,
    argv::{self, Layout, Ports, Program},
    host::{self, Stopwatch},
    kubeconfig,
    pki::Pki,
    ports, process,
    process::Running,
    record::{Process, Record},
    watchdog::Watchdog,
};

/// What kwok does with nodes and pods.
const STAGES: &str = include_str!("../stages.yaml");

/// For one condition to become true. Long, because a loaded machine is no reason to fail.
pub(crate) const PATIENCE: Duration = Duration::from_mins(3);
pub(crate) const POLL: Duration = Duration::from_millis(100);

/// Another program can take a port between the moment it was found free and its use.
const ATTEMPTS: u32 = 3;

/// A running control plane. It stops when this is dropped, and also when the process that holds it
/// ends without a chance to drop it.
#[derive(Debug)]
pub struct Cluster {
    layout: Layout,
    kubectl: Kubectl,
    running: Vec<Running>,
    // None once released. Declared last: it must outlive the programs it watches.
    watchdog: Option<Watchdog>,
}

impl Cluster {
    /// Starts a new, empty cluster in a directory, which is made if need be, and waits until it is
    /// ready. An earlier cluster's data there is removed; one that runs there is an error.
    pub fn start(tools: &Toolchain, dir: &Path) -> Result<Self, Error> {
        fs::create_dir_all(dir).map_err(Error::io("create", dir))?;
        let dir = dir.canonicalize().map_err(Error::io("find", dir))?;
        if Record::read(&dir)?.is_some_and(|record| record.any_alive()) {
            return Err(Error::AlreadyRunning { dir });
        }
        let mut attempt = 1;
        loop {
            match Self::attempt(tools, &dir) {
                Err(Error::Died { tail, .. })
                    if attempt < ATTEMPTS && tail.contains("address already in use") =>
                {
                    attempt += 1;
                }
                outcome => return outcome,
            }
        }
    }

    fn attempt(tools: &Toolchain, dir: &Path) -> Result<Self, Error> {
        let [etcd, etcd_peer, apiserver, kwok] = ports::free().map_err(Error::Port)?;
        let layout = Layout {
            dir: dir.to_owned(),
            pki: Pki::create(&dir.join("pki"))?,
            ports: Ports { etcd, etcd_peer, apiserver, kwok },
        };
        prepare(&layout)?;
        let kubectl = Kubectl::new(&tools.kubectl, &layout.kubeconfig(layout.pki.admin.name), dir);
        let mut cluster = Self { layout, kubectl, running: Vec::new(), watchdog: Some(Watchdog::start()?) };

        cluster.run(&argv::etcd(tools, &cluster.layout))?;
        cluster.run(&argv::apiserver(tools, &cluster.layout))?;
        cluster.wait("/readyz of the API server", |kubectl| {
            kubectl.run(&["get", "--raw", "/readyz"]).map(drop)
        })?;
        // These give up when there is no server, hence only now.
        cluster.run(&argv::controller_manager(tools, &cluster.layout))?;
        cluster.run(&argv::scheduler(tools, &cluster.layout))?;
        cluster.run(&argv::kwok(tools, &cluster.layout))?;
        // Without it no pod can be created, and the controller manager makes it.
        cluster.wait("the default service account", |kubectl| {
            kubectl.run(&["get", "serviceaccount", "default", "--namespace", "default"]).map(drop)
        })?;
        // It listens once its controllers run.
        cluster.wait("kwok", |_| connect(kwok))?;
        Ok(cluster)
    }

    /// The administrator's kubeconfig. It names files by absolute path.
    pub fn kubeconfig(&self) -> PathBuf {
        self.layout.kubeconfig(self.layout.pki.admin.name)
    }

    /// That kubeconfig and the files that it names.
    pub(crate) fn credentials(&self) -> [PathBuf; 4] {
        let Pki { ca, admin, .. } = &self.layout.pki;
        [self.kubeconfig(), ca.clone(), admin.certificate.clone(), admin.key.clone()]
    }

    /// The URL of the API server.
    pub fn server(&self) -> String {
        self.layout.server()
    }

    /// Where data, keys and logs (`logs/<program>.log`) are.
    pub fn dir(&self) -> &Path {
        &self.layout.dir
    }

    /// kubectl as the administrator.
    pub fn kubectl(&self) -> &Kubectl {
        &self.kubectl
    }

    /// Stops every program and waits until they are gone. The directory stays, with the logs.
    pub fn stop(self) {
        drop(self);
    }

    /// Lets the cluster outlive this process, until [`crate::down`] stops it.
    pub fn detach(mut self) -> Result<(), Error> {
        if let Some(watchdog) = self.watchdog.take() {
            watchdog.release().map_err(|source| host::spawn("sh", source))?;
        }
        // Dropping a child does not end it.
        self.running.clear();
        Ok(())
    }

    fn run(&mut self, program: &Program) -> Result<(), Error> {
        let Some(watchdog) = &self.watchdog else { return Ok(()) };
        let logs = logs(&self.layout.dir);
        self.running.push(Running::start(program, &self.layout.dir, &logs, watchdog.group()?)?);
        let processes = self.running.iter().map(|running| Process::of(running.name, running.pid()));
        Record { processes: processes.collect() }.write(&self.layout.dir)
    }

    /// Asks until the answer is good, a program has died or patience ends.
    fn wait(&mut self, what: &'static str, ask: impl Fn(&Kubectl) -> Result<(), Error>) -> Result<(), Error> {
        let stopwatch = Stopwatch::start();
        loop {
            for running in &mut self.running {
                running.check()?;
            }
            let Err(error) = ask(&self.kubectl) else { return Ok(()) };
            if stopwatch.elapsed() > PATIENCE {
                let dir = logs(&self.layout.dir);
                return Err(Error::Late {
                    what,
                    seconds: PATIENCE.as_secs(),
                    dir,
                    detail: error.to_string(),
                });
            }
            host::pause(POLL);
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if self.watchdog.is_some() {
            process::stop(&mut self.running);
            Record::remove(&self.layout.dir);
        }
    }
}

pub(crate) fn connect(port: u16) -> Result<(), Error> {
    let address = format!("127.0.0.1:{port}");
    TcpStream::connect(&address).map(drop).map_err(Error::io("connect to", address))
}

fn logs(dir: &Path) -> PathBuf {
    dir.join("logs")
}

/// Everything the programs read, and an empty place for what they write.
fn prepare(layout: &Layout) -> Result<(), Error> {
    let data = layout.etcd_data();
    // The keys are new, so nothing signed with the old ones may stay.
    if data.exists() {
        fs::remove_dir_all(&data).map_err(Error::io("remove", &data))?;
    }
    let logs = logs(&layout.dir);
    fs::create_dir_all(&logs).map_err(Error::io("create", &logs))?;
    let stages = layout.stages();
    fs::write(&stages, STAGES).map_err(Error::io("write", &stages))?;
    let pki = &layout.pki;
    for client in [&pki.admin, &pki.controller_manager, &pki.scheduler] {
        let path = layout.kubeconfig(client.name);
        let text = kubeconfig::render(&layout.server(), &pki.ca, client);
        fs::write(&path, format!("{text:#}\n")).map_err(Error::io("write", &path))?;
    }
    Ok(())
}
