//! `--sweep NAME=V1,V2`: values of parameters, and all their combinations.

use std::str::FromStr;

/// The values of one parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sweep {
    name: String,
    values: Vec<String>,
}

impl FromStr for Sweep {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("expected NAME=VALUE or NAME=VALUE,VALUE, found `{text}`");
        let (name, values) = text.split_once('=').ok_or_else(wrong)?;
        let values: Vec<String> = values.split(',').map(|one| one.trim().to_owned()).collect();
        if name.trim().is_empty() || values.iter().any(String::is_empty) {
            return Err(wrong());
        }
        Ok(Self {
            name: name.trim().to_owned(),
            values,
        })
    }
}

/// Returns every combination, each a list of `NAME=VALUE`; without a sweep, the one of the defaults.
pub(super) fn variants(sweeps: &[Sweep]) -> Vec<Vec<String>> {
    let mut variants = vec![Vec::new()];
    for sweep in sweeps {
        variants = variants
            .iter()
            .flat_map(|variant: &Vec<String>| {
                sweep.values.iter().map(|value| {
                    let mut longer = variant.clone();
                    longer.push(format!("{}={value}", sweep.name));
                    longer
                })
            })
            .collect();
    }
    variants
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sweeps_are_combined() {
        let sweep = |text: &str| text.parse::<Sweep>().expect("a sweep");
        assert_eq!(variants(&[]), [Vec::<String>::new()]);
        assert_eq!(
            variants(&[sweep("A=1,2"), sweep("B=x")]),
            [["A=1", "B=x"], ["A=2", "B=x"]]
        );
        for wrong in ["A", "=1", "A=", "A=1,"] {
            assert!(wrong.parse::<Sweep>().is_err(), "{wrong}");
        }
    }
}
