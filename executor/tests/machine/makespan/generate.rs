//! Upgrades of many clusters, hop by hop: the same as bench/makespan/makespan.py makes from the same arguments.

use super::python::{self, Python};

/// A step of a generated upgrade.
#[derive(Clone, Debug)]
pub struct Made {
    pub name: String,
    pub minutes: u64,
    pub needs: Vec<usize>,
}

/// A generated upgrade; steps come after what they need.
#[derive(Clone, Debug, Default)]
pub struct Upgrade {
    pub steps: Vec<Made>,
}

impl Upgrade {
    /// Clusters, hops and node groups, from a seed.
    pub fn generate([clusters, hops, groups]: [usize; 3], seed: u32) -> Self {
        let mut python = Python::new(seed);
        let mut upgrade = Self::default();
        for cluster in 0..clusters {
            let mut last: Vec<usize> = Vec::new();
            for hop in 0..hops {
                let add = |upgrade: &mut Self, part: &str, minutes: u64, needs: Vec<usize>| {
                    let name = format!("c{cluster}/h{hop}/{part}");
                    upgrade.steps.push(Made { name, minutes: minutes.max(1), needs });
                    upgrade.steps.len() - 1
                };
                let minutes = python.between(1, 3);
                let check = add(&mut upgrade, "preflight", minutes, last.clone());
                let minutes = python.between(1, 4);
                let crds = add(&mut upgrade, "crds", minutes, vec![check]);
                let minutes = python.between(8, 30);
                let control_plane = add(&mut upgrade, "controlplane", minutes, vec![check]);
                let mut addons = Vec::new();
                for addon in 0..4 {
                    let minutes = python.between(2, 8);
                    addons.push(add(&mut upgrade, &format!("addon{addon}"), minutes, vec![control_plane]));
                }
                let minutes = python.between(2, 6);
                let karpenter = add(&mut upgrade, "karpenter", minutes, vec![crds, control_plane]);
                let mut moved = Vec::new();
                for group in 0..groups {
                    let minutes = python.choice([15, 30, 45, 90, 170]);
                    let minutes = python::whole(python::float(minutes) * python.uniform(0.7, 1.2));
                    let needs = vec![addons[0], addons[1], karpenter];
                    moved.push(add(&mut upgrade, &format!("ng{group}"), minutes, needs));
                }
                let minutes = python.between(20, 60);
                let gpu = add(&mut upgrade, "gpudriver", minutes, vec![moved[0]]);
                let mut apps = Vec::new();
                for app in 0..5 {
                    let minutes = python.between(3, 12);
                    let need = if app == 0 { gpu } else { moved[groups - 1] };
                    apps.push(add(&mut upgrade, &format!("app{app}"), minutes, vec![need]));
                }
                let minutes = python.between(2, 10);
                let needs = moved.iter().chain(&apps).chain(&addons).copied().collect();
                last = vec![add(&mut upgrade, "verify", minutes, needs)];
            }
        }
        upgrade
    }

    /// No schedule is shorter than the longest chain, nor than all the work shared out.
    pub fn lower_bound(&self, workers: usize) -> u64 {
        let mut ends: Vec<u64> = Vec::new();
        for step in &self.steps {
            let begins = step.needs.iter().map(|need| ends[*need]).max().unwrap_or_default();
            ends.push(begins + step.minutes);
        }
        let work: u64 = self.steps.iter().map(|step| step.minutes).sum();
        ends.into_iter().max().unwrap_or_default().max(work.div_ceil(workers as u64))
    }
}
