//! What the kernel will make of `swiotlb=`, and of what it says nothing.

#[path = "lint_cmdline_boot.rs"]
mod boot;

use serde::Serialize;
use swiotlb::{
    BootConfig, BootOptions, ParamNumbers, ParamWarning, Policy, SLOT_BYTES, SLOT_SET_SLOTS,
    coco_default_size,
};

use boot::start;

/// The machine that the command line is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    /// Possible CPUs.
    pub cpus: u32,
    /// Bytes of RAM, laid out as on a PC: at most 3 GiB below 4 GiB, the rest above.
    pub ram_bytes: u64,
    /// The machine is a confidential guest (SEV, TDX).
    pub is_confidential: bool,
    /// The kernel was built with `CONFIG_SWIOTLB_DYNAMIC`.
    pub is_dynamic: bool,
    /// The kernel was built with `CONFIG_DEBUG_FS`.
    pub has_debugfs: bool,
}

/// What comes of a command line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Lint {
    /// Values of `swiotlb=`, in their order.
    pub values: Vec<String>,
    /// Whether there will be a pool, or why not.
    pub pool: PoolFate,
    /// `force` is set.
    pub is_forced: bool,
    /// `noforce` is set; it wins over `force`.
    pub is_off: bool,
    /// `track_hiwater` is set.
    pub tracks_hiwater: bool,
    /// What was probably not meant.
    pub warnings: Vec<String>,
    /// A line without surprises that gives the same pool.
    pub plain: String,
}

/// What becomes of the pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "fate")]
pub enum PoolFate {
    /// There is one.
    Made {
        /// Slots of 2 KiB.
        slots: u64,
        /// Areas.
        areas: u32,
        /// Bytes.
        bytes: u64,
    },
    /// All memory is below 4 GiB and nothing forces one.
    NotNeeded,
    /// `noforce` forbids one.
    Off,
    /// Not even 1 MiB of memory could be had.
    NoMemory,
}

/// Judges a kernel command line, or single values of `swiotlb=`.
#[must_use]
pub fn lint(words: &[String], target: Target) -> Lint {
    let values = values_of(words);
    let options = BootOptions {
        policy: if target.is_dynamic {
            Policy::DynamicPools
        } else {
            Policy::Static
        },
        has_statistics: target.has_debugfs,
        ..BootOptions::default()
    };
    let mut boot = BootConfig::new(options);
    let mut warnings = Vec::new();
    for value in &values {
        let (slots_before, areas_before) = (boot.default_slots(), boot.default_areas());
        let found = boot.parse(value);
        warnings.extend(found.iter().map(|warning| explain(warning, value, target)));
        warnings.extend(rounded_areas(value, &boot));
        if values.len() > 1
            && (slots_before, areas_before) != (boot.default_slots(), boot.default_areas())
        {
            warnings.extend(overridden(value, (slots_before, areas_before), &values));
        }
    }
    warnings.extend(flags(&boot, target, values.len()));
    let written = boot.default_slots();
    warnings.extend(adjust(&mut boot, target));
    let asked = boot.default_slots();
    let (is_forced, is_off, tracks_hiwater) = (boot.force, boot.noforce, boot.track_hiwater);
    let pool = start(boot, target);
    // What a confidential guest asks for instead is told by itself.
    if asked == written {
        warnings.extend(rounded_slots(&values, pool));
    }
    warnings.extend(fate_warnings(pool, asked, is_forced, target));
    Lint {
        plain: plain(pool, is_forced, is_off, tracks_hiwater),
        values,
        pool,
        is_forced,
        is_off,
        tracks_hiwater,
        warnings,
    }
}

/// Takes the values of `swiotlb=` out of words or of whole command lines; a word alone is a value.
fn values_of(words: &[String]) -> Vec<String> {
    let split = words
        .iter()
        .flat_map(|words| words.split_ascii_whitespace());
    let split: Vec<&str> = split.collect();
    let named: Vec<String> = split
        .iter()
        .filter_map(|word| word.strip_prefix("swiotlb="))
        .map(str::to_owned)
        .collect();
    if named.is_empty() && split.len() == 1 && !split[0].contains('=') {
        return vec![split[0].to_owned()];
    }
    named
}

fn explain(warning: &ParamWarning, value: &str, target: Target) -> String {
    const ORDER: &str = "the order is fixed: slots, areas, force or noforce, track_hiwater";
    match warning {
        ParamWarning::UnusedTail { rest }
            if rest.contains("track_hiwater") && !target.has_debugfs =>
        {
            format!(
                "`{value}`: `{rest}` is ignored: without CONFIG_DEBUG_FS the kernel knows no track_hiwater"
            )
        }
        ParamWarning::UnusedTail { rest } if value.starts_with('-') => format!(
            "`{value}`: all of `{rest}` is ignored: a number begins with a digit, and nothing behind the \
             sign is read"
        ),
        ParamWarning::UnusedTail { rest } => {
            let lost = if rest.contains("force") {
                "; so bouncing is not forced by it"
            } else if rest.bytes().any(|byte| byte.is_ascii_digit()) {
                "; so the number in it is lost"
            } else {
                ""
            };
            format!("`{value}`: `{rest}` is ignored{lost}; {ORDER}")
        }
        ParamWarning::PrefixMatch { word, written } => {
            format!("`{value}`: `{written}` begins with `{word}` and is taken for it")
        }
        ParamWarning::Octal { text } => format!(
            "`{value}`: `{text}` is read as octal because of its leading 0; what follows it is read on as \
             the next field"
        ),
        ParamWarning::Saturated { text } => {
            format!("`{value}`: {text} does not fit into 64 bits; the kernel takes 2^64-1")
        }
        ParamWarning::TooManyAreas { areas } => {
            format!("`{value}`: {areas} areas are more than 2^31: the kernel's count becomes 0")
        }
        other => format!("`{value}`: {other}"),
    }
}

/// Areas that are not what was written.
fn rounded_areas(value: &str, boot: &BootConfig) -> Option<String> {
    let areas = ParamNumbers::parse(value).areas?;
    let made = boot.default_areas();
    (made > 0 && areas != u64::from(made))
        .then(|| format!("`{value}`: {areas} areas become {made}: a power of two, at least 1"))
}

/// Slots of the pool that are more than were written last; fewer are told where memory is short.
fn rounded_slots(values: &[String], pool: PoolFate) -> Option<String> {
    let PoolFate::Made {
        slots: made,
        areas,
        bytes,
    } = pool
    else {
        return None;
    };
    let (value, slots) = values
        .iter()
        .rev()
        .find_map(|value| Some((value, ParamNumbers::parse(value).slots?)))?;
    let why = if slots < u64::from(areas) * u64::from(SLOT_SET_SLOTS) {
        "each area needs at least 128"
    } else if made.is_power_of_two() {
        "the size is rounded up to a power of two"
    } else {
        "rounded up to a multiple of 128"
    };
    (made > slots).then(|| {
        format!(
            "`{value}`: {slots} slots become {made} ({}): {why}",
            size_text(bytes)
        )
    })
}

fn overridden(value: &str, (slots, areas): (u64, u32), values: &[String]) -> Option<String> {
    (values.first().map(String::as_str) != Some(value)).then(|| {
        format!(
            "`{value}` comes after another swiotlb=: it changes what that one set ({slots} slots, {areas} areas; \
             0 areas means not set); what it does not name stays"
        )
    })
}

fn flags(boot: &BootConfig, target: Target, occurrences: usize) -> Vec<String> {
    let mut warnings = Vec::new();
    if boot.force && boot.noforce {
        warnings
            .push("both force and noforce are set: noforce wins, and there is no pool".to_owned());
    }
    if boot.noforce {
        warnings.push(
            "noforce: there is no pool; a mapping that a device cannot reach fails with `overflow`"
                .to_owned(),
        );
        if target.is_dynamic && boot.default_areas() == 0 {
            warnings.push(
                "noforce with CONFIG_SWIOTLB_DYNAMIC and no areas given: no area is ever searched, so restricted \
                 pools can give no slot either; give the areas"
                    .to_owned(),
            );
        }
    }
    if boot.force && target.is_confidential {
        warnings.push("force is not needed in a confidential guest: it bounces anyway".to_owned());
    }
    if occurrences > 1 {
        warnings.push(format!(
            "swiotlb= stands {occurrences} times: all are read, in their order, and their effects accumulate"
        ));
    }
    warnings
}

/// A confidential guest asks for 6 % of its memory, unless the size is not the compiled-in one.
fn adjust(boot: &mut BootConfig, target: Target) -> Vec<String> {
    if !target.is_confidential {
        return Vec::new();
    }
    let (before, areas) = (boot.default_slots(), boot.default_areas());
    let wanted = coco_default_size(target.ram_bytes, boot.size_or_default());
    let default = BootConfig::default().default_slots();
    if boot.adjust_size(wanted) {
        let mut warnings = vec![format!(
            "a confidential guest asks for 6 % of its memory, at least 64 MiB and at most 1 GiB: {}; rounding to a \
             power of two can make almost 12 % of it",
            size_text(wanted)
        )];
        if before == default && areas == 0 {
            warnings.push(format!(
                "swiotlb={default} cannot be told from no size at all: it is replaced as well; {} or {} is kept",
                default / 2,
                default * 2
            ));
        }
        return warnings;
    }
    let mut warnings =
        vec!["the size is given, so the 6 % of a confidential guest are not asked for".to_owned()];
    if u64::from(areas) * u64::from(SLOT_SET_SLOTS) > default {
        warnings.push(format!(
            "{areas} areas have changed the size, which alone switches the 6 % off"
        ));
    }
    warnings
}

fn fate_warnings(pool: PoolFate, asked: u64, is_forced: bool, target: Target) -> Vec<String> {
    let mut warnings = Vec::new();
    match pool {
        PoolFate::NotNeeded => warnings.push(format!(
            "with {} of RAM, all of it below 4 GiB, there is no pool: the size has no effect; only force makes one",
            size_text(target.ram_bytes)
        )),
        PoolFate::NoMemory => warnings.push(
            "the kernel finds no memory for a pool below 4 GiB, not even for 1 MiB, and goes on without one".to_owned(),
        ),
        PoolFate::Off => {}
        PoolFate::Made { slots, areas, bytes } => {
            let per_area = slots / u64::from(areas);
            if slots < asked {
                warnings.push(format!(
                    "{asked} slots do not fit below 4 GiB beside the rest: the kernel halves the size until it fits, \
                     {slots} slots; `default_nareas` stays, so pools that are added later may have areas of fewer \
                     than 128 slots"
                ));
            }
            if per_area <= u64::from(SLOT_SET_SLOTS) {
                warnings.push(format!(
                    "{per_area} slots an area: a single mapping of 256 KiB fills one; fewer areas or more slots keep \
                     searches short"
                ));
            }
            if u64::from(areas) > u64::from(target.cpus.next_power_of_two()) {
                warnings.push(format!(
                    "{areas} areas for {} CPUs: the further ones are searched only when the others are full",
                    target.cpus
                ));
            }
            if bytes > target.ram_bytes / 4 {
                let percent = u128::from(bytes) * 100 / u128::from(target.ram_bytes.max(1));
                warnings.push(format!("the pool takes {percent} % of the memory, for good"));
            }
            if !target.is_dynamic && bytes <= 1 << 20 {
                warnings.push(
                    "1 MiB or less: where the pool is made late (swiotlb_init_late), such a size always fails".to_owned(),
                );
            }
            if is_forced {
                warnings.push("force: every streaming mapping of every device is copied".to_owned());
            }
        }
    }
    warnings
}

fn plain(pool: PoolFate, is_forced: bool, is_off: bool, tracks_hiwater: bool) -> String {
    let mut line = match pool {
        _ if is_off => "swiotlb=noforce".to_owned(),
        PoolFate::Made { slots, areas, .. } => format!("swiotlb={slots},{areas}"),
        _ => return String::new(),
    };
    if is_forced && !is_off {
        line.push_str(",force");
    }
    if tracks_hiwater {
        line.push_str(",track_hiwater");
    }
    line
}

/// Writes bytes in the largest unit that has no fraction.
#[must_use]
pub fn size_text(bytes: u64) -> String {
    let units = [(1_u64 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    let unit = units
        .iter()
        .find(|(unit, _)| bytes >= *unit && bytes.is_multiple_of(*unit));
    unit.map_or_else(
        || format!("{bytes} bytes"),
        |(unit, name)| format!("{} {name}", bytes / unit),
    )
}

/// Bytes of a pool of `slots` slots.
#[must_use]
pub const fn pool_bytes(slots: u64) -> u64 {
    slots * SLOT_BYTES
}

#[cfg(test)]
#[path = "lint_cmdline_tests.rs"]
mod tests;
