//! Instructions per map and unmap, against those of Linux's own allocator.
//!
//! Runs itself under callgrind for each row of `linux-7.3.4.csv`, counting only from entry to return
//! of the functions below, as the reference did; beside it the same with one pool only. Counts repeat
//! to the last digit. Writes a table, each goal with whether it is met, and
//! `target/swiotlb-instructions.csv`. Needs `valgrind`.

use std::hint::black_box;
use std::process::{Command, ExitCode};

use swiotlb::{BounceRequest, PhysAddr, Policy};

mod support;
use support::{Bench, SplitMix64, request};

const REFERENCE: &str = include_str!("linux-7.3.4.csv");
/// Arguments that ask for one row: with several pools possible, as the reference was counted, and
/// with one only.
const DYNAMIC_CELL: &str = "--dynamic-cell";
const STATIC_CELL: &str = "--static-cell";
/// Failing maps that are counted.
const FAILURES: usize = 1000;

#[inline(never)]
fn counted_map(bench: &Bench, request: &BounceRequest) -> PhysAddr {
    bench.take(request)
}

#[inline(never)]
fn counted_failure(bench: &Bench, request: &BounceRequest) -> bool {
    bench.fail(request)
}

#[inline(never)]
fn counted_unmap(bench: &Bench, addr: PhysAddr, bytes: u64) {
    bench.give_back(addr, bytes);
}

/// The worst of what the goals are about.
#[derive(Debug, Default)]
struct Goals {
    worst_ratio: f64,
    geometric_mean: f64,
    /// Instructions of a pair up to 4 KiB.
    worst_small_pair: f64,
    /// Instructions of a map that fails.
    worst_failure: f64,
}

impl Goals {
    /// Takes a row in, with our count and its ratio to Linux's.
    fn note(&mut self, row: &Row, ours: f64, ratio: f64) {
        self.worst_ratio = self.worst_ratio.max(ratio);
        if row.workload == "W3" {
            self.worst_failure = self.worst_failure.max(ours);
        } else if row.is_walk_in_blocks() && row.bytes <= 4096 {
            self.worst_small_pair = self.worst_small_pair.max(ours);
        }
    }

    /// What is found, and the most that it may be.
    fn list(&self) -> [(&'static str, f64, f64); 4] {
        [
            ("largest ratio of a cell", self.worst_ratio, 0.5),
            ("geometric mean of W1", self.geometric_mean, 0.1),
            ("largest W1 up to 4 KiB", self.worst_small_pair, 250.0),
            ("largest search in vain", self.worst_failure, 6000.0),
        ]
    }
}

/// Prints of each goal whether it is met, with several pools possible and with one only.
fn print_goals([dynamic, fixed]: [&Goals; 2]) {
    let verdict = |found, limit| if found <= limit { "met" } else { "missed" };
    println!("Goals                      at most    dynamic              static");
    for ((what, found, limit), (_, alone, _)) in dynamic.list().into_iter().zip(fixed.list()) {
        let (ours, theirs) = (verdict(found, limit), verdict(alone, limit));
        println!("{what:25} {limit:8} {found:10.3} {ours:6} {alone:10.3} {theirs}");
    }
}

/// One row of the reference.
#[derive(Debug, Clone)]
struct Row {
    workload: String,
    bytes: u64,
    occupancy: u32,
    block: u32,
}

impl Row {
    fn parse(fields: &[&str]) -> Option<Self> {
        let &[workload, bytes, occupancy, block] = fields else {
            return None;
        };
        Some(Self {
            workload: workload.to_owned(),
            bytes: bytes.parse().ok()?,
            occupancy: occupancy.parse().ok()?,
            block: block.parse().ok()?,
        })
    }

    fn args(&self) -> [String; 4] {
        [
            self.workload.clone(),
            self.bytes.to_string(),
            self.occupancy.to_string(),
            self.block.to_string(),
        ]
    }

    /// Returns whether this is a cell of W1 whose pool was filled in blocks of the request.
    fn is_walk_in_blocks(&self) -> bool {
        self.workload == "W1" && u64::from(self.block) == self.bytes.div_ceil(2048)
    }

    /// Does the work that is counted. Returns by how many the count is to be divided.
    fn run(&self, policy: Policy) -> usize {
        let (bytes, occupancy) = (self.bytes, self.occupancy);
        let mut bench = Bench::with_policy(policy, bytes, occupancy, self.block, 1);
        let wanted = request(self.bytes, 0);
        let pairs = bench.pairs();
        match self.workload.as_str() {
            "W2" => return exchange(&mut bench, &wanted),
            "W3" => {
                for _ in 0..FAILURES {
                    assert!(
                        counted_failure(&bench, black_box(&wanted)),
                        "no run is free"
                    );
                }
                return FAILURES;
            }
            "W4" => {
                for _ in 0..pairs / 64 {
                    let flight: Vec<_> = (0..64).map(|_| counted_map(&bench, &wanted)).collect();
                    for addr in flight {
                        counted_unmap(&bench, addr, self.bytes);
                    }
                }
                return pairs / 64 * 64;
            }
            _ => {}
        }
        for _ in 0..pairs {
            let addr = counted_map(&bench, black_box(&wanted));
            counted_unmap(&bench, black_box(addr), self.bytes);
        }
        pairs
    }
}

/// Unmaps a random buffer and maps again, 20 000 times.
fn exchange(bench: &mut Bench, wanted: &BounceRequest) -> usize {
    let mut random = SplitMix64(1000);
    for _ in 0..20_000 {
        let index = random.below(bench.live.len());
        counted_unmap(bench, bench.live[index], bench.live_bytes());
        bench.live[index] = counted_map(bench, wanted);
    }
    20_000
}

/// Counts a row by running this program again under callgrind.
fn count(row: &Row, cell: &str) -> Result<f64, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .args([
            "--toggle-collect=*counted_map*",
            "--toggle-collect=*counted_unmap*",
        ])
        .arg("--toggle-collect=*counted_failure*")
        .arg(program)
        .arg(cell)
        .args(row.args())
        .output()
        .map_err(|error| format!("valgrind does not start ({error}); install it"))?;
    let messages = String::from_utf8_lossy(&output.stderr);
    let counted = messages.lines().find_map(|line| {
        line.split_once("Collected : ")?
            .1
            .trim()
            .parse::<f64>()
            .ok()
    });
    let pairs = String::from_utf8_lossy(&output.stdout)
        .trim()
        .parse::<f64>();
    match (counted, pairs) {
        (Some(counted), Ok(pairs)) if output.status.success() => Ok(counted / pairs),
        _ => Err(format!("{row:?} could not be counted:\n{messages}")),
    }
}

fn geometric_mean(ratios: &[f64]) -> Result<f64, String> {
    let cells = u32::try_from(ratios.len()).map_err(|error| error.to_string())?;
    let sum: f64 = ratios.iter().map(|ratio| ratio.ln()).sum();
    Ok((sum / f64::from(cells)).exp())
}

fn compare() -> Result<(), String> {
    let mut csv = String::from("workload,bytes,occupancy,block,ours,linux,ratio,static\n");
    let (mut dynamic, mut fixed) = (Vec::new(), Vec::new());
    let mut goals = [Goals::default(), Goals::default()];
    println!(
        "Instructions per pair (W3: per failing map), callgrind; Linux 7.3.4's allocator likewise."
    );
    println!("workload   bytes  occupied  blocks of      ours     Linux   ratio    static");
    let lines = REFERENCE.lines().filter(|line| !line.starts_with('#'));
    for line in lines.skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        let (linux, row) = fields.split_last().ok_or("an empty line")?;
        let bad = || format!("not a row of the reference: {line}");
        let row = Row::parse(row).ok_or_else(bad)?;
        let linux: f64 = linux.parse().map_err(|_| bad())?;
        let ours = count(&row, DYNAMIC_CELL)?;
        let alone = count(&row, STATIC_CELL)?;
        let ratio = ours / linux;
        goals[0].note(&row, ours, ratio);
        goals[1].note(&row, alone, alone / linux);
        let Row {
            workload,
            bytes,
            occupancy,
            block,
        } = &row;
        println!(
            "{workload:8} {bytes:7} {occupancy:7} % {block:10} {ours:9.1} {linux:9.1} {ratio:7.3} {alone:9.1}"
        );
        csv += &format!(
            "{workload},{bytes},{occupancy},{block},{ours:.1},{linux:.1},{ratio:.4},{alone:.1}\n"
        );
        if row.is_walk_in_blocks() {
            dynamic.push(ratio);
            fixed.push(alone / linux);
        }
    }
    let cells = dynamic.len();
    println!("The geometric mean is that of the {cells} cells of W1 in blocks of the request.");
    goals[0].geometric_mean = geometric_mean(&dynamic)?;
    goals[1].geometric_mean = geometric_mean(&fixed)?;
    print_goals(goals.each_ref());
    let path = std::env::current_exe().map_err(|error| error.to_string())?;
    let target = path.ancestors().nth(3).ok_or("no target folder")?;
    let path = target.join("swiotlb-instructions.csv");
    std::fs::write(&path, csv).map_err(|error| format!("{}: {error}", path.display()))
}

fn policy_of(cell: &str) -> Option<Policy> {
    match cell {
        DYNAMIC_CELL => Some(Policy::DynamicPools),
        STATIC_CELL => Some(Policy::Static),
        _ => None,
    }
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let [cell, fields @ ..] = &args[..]
        && let Some(policy) = policy_of(cell)
    {
        let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
        let Some(row) = Row::parse(&fields) else {
            eprintln!("expected {cell} WORKLOAD BYTES OCCUPANCY BLOCK");
            return ExitCode::from(2);
        };
        println!("{}", row.run(policy));
        return ExitCode::SUCCESS;
    }
    // `cargo test --benches` only wants to know whether this runs.
    if !args.iter().any(|arg| arg == "--bench") {
        return ExitCode::SUCCESS;
    }
    match compare() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}
