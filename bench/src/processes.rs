//! What processes cost, by the kernel's own count: nanoseconds on a CPU, and memory that is resident.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

/// Nanoseconds of each thread of some processes so far.
#[derive(Debug, Clone)]
pub struct Spent(BTreeMap<(u32, u32), u64>);

impl Spent {
    /// Of the processes and all that descend from them.
    pub fn by(roots: &[u32]) -> Self {
        let mut threads = BTreeMap::new();
        for pid in family(roots) {
            let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else {
                continue;
            };
            for tid in tasks
                .flatten()
                .filter_map(|task| task.file_name().to_str()?.parse().ok())
            {
                threads.insert((pid, tid), on_cpu(pid, tid));
            }
        }
        Self(threads)
    }

    /// Nanoseconds since `earlier`. A thread that has ended since is not counted.
    pub fn since(&self, earlier: &Self) -> u64 {
        let one = |(thread, now): (&(u32, u32), &u64)| now - earlier.0.get(thread).unwrap_or(&0).min(now);
        self.0.iter().map(one).sum()
    }
}

/// The first figure of `schedstat` (Linux, Documentation/scheduler/sched-stats).
fn on_cpu(pid: u32, tid: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{tid}/schedstat")).unwrap_or_default();
    text.split_whitespace()
        .next()
        .and_then(|first| first.parse().ok())
        .unwrap_or(0)
}

/// Processes, and their children's children.
pub fn family(roots: &[u32]) -> BTreeSet<u32> {
    let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        if let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) {
            children.entry(parent(pid)).or_default().push(pid);
        }
    }
    let (mut found, mut next) = (BTreeSet::new(), roots.to_vec());
    while let Some(pid) = next.pop() {
        if found.insert(pid) {
            next.extend(children.get(&pid).into_iter().flatten());
        }
    }
    found
}

fn parent(pid: u32) -> u32 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let after = stat.rsplit_once(") ").map(|(_, after)| after);
    let parent = after.and_then(|after| after.split(' ').nth(1)?.parse().ok());
    parent.unwrap_or(0)
}

/// Resident KiB of some processes, what they share counted in parts.
pub fn resident_kib(roots: &[u32]) -> u64 {
    let one = |pid: u32| -> Option<u64> {
        let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
        line.split_whitespace().next()?.parse().ok()
    };
    family(roots).into_iter().filter_map(one).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_seen() {
        let own = [std::process::id()];
        let before = Spent::by(&own);
        let began = std::time::Instant::now();
        let mut sum = 0u64;
        while began.elapsed().as_millis() < 20 {
            sum = sum.wrapping_add(began.elapsed().as_nanos() as u64);
        }
        assert!(sum > 0 && Spent::by(&own).since(&before) > 1_000_000);
        assert!(resident_kib(&own) > 100);
    }
}
