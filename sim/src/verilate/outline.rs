//! What a tool that writes manifests wants to know of an elaborated core: beside ports and parameters, which
//! inputs are clocks or asynchronous resets, as the sensitivity lists say, and which ports are structs.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::Value;

use super::ports::{self, CoreModule, CorePort};

/// An elaborated core, seen from outside.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outline {
    /// Ports in order of declaration.
    pub ports: Vec<CorePort>,
    /// Ports of a packed struct or union type.
    pub structs: BTreeSet<String>,
    /// Parameters that can be set from outside, in order of declaration, with their values; none if it is no number.
    pub parameters: Vec<(String, Option<i64>)>,
    /// Inputs whose edges the core waits for; none if the tool does not tell.
    pub edges: Option<BTreeMap<String, Edges>>,
}

/// How a signal stands in sensitivity lists.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Edges {
    /// Its rising edges matter.
    pub rising: bool,
    /// Its falling edges matter.
    pub falling: bool,
    /// Some list has nothing else: it is a clock.
    pub alone: bool,
}

impl Edges {
    fn join(&mut self, other: Self, inverted: bool) {
        let (rising, falling) = if inverted {
            (other.falling, other.rising)
        } else {
            (other.rising, other.falling)
        };
        self.rising |= rising;
        self.falling |= falling;
        self.alone |= other.alone;
    }
}

impl Outline {
    fn new(module: CoreModule) -> Self {
        let parameters = module.parameters.into_iter().map(|parameter| {
            let value = parameter.value.map(|value| value.to_string());
            (parameter.name, value.and_then(|text| text.parse().ok()))
        });
        Self {
            ports: module.ports,
            parameters: parameters.collect(),
            ..Self::default()
        }
    }

    pub(super) fn from_xml(text: &str, top: &str) -> Result<Self, String> {
        ports::from_xml(text, top).map(Self::new)
    }

    pub(super) fn from_json(text: &str, top: &str) -> Result<Self, String> {
        let mut outline = ports::from_json(text, top).map(Self::new)?;
        let tree: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let modules: HashMap<&str, &Value> = list(&tree, "modulesp")
            .map(|module| (word(module, "addr"), module))
            .collect();
        let module = list(&tree, "modulesp")
            .find(|module| [word(module, "name"), word(module, "origName")].contains(&top))
            .ok_or_else(|| format!("no module {top} in the elaborated design"))?;
        outline.structs = structs(&tree, module);
        let found = edges(&modules, module, &mut HashMap::new(), 0);
        let is_port = |name: &str| outline.ports.iter().any(|port| port.name == name);
        outline.edges = Some(
            found
                .into_iter()
                .filter(|(name, _)| is_port(name))
                .collect(),
        );
        Ok(outline)
    }
}

fn word<'a>(node: &'a Value, field: &str) -> &'a str {
    node[field].as_str().unwrap_or_default()
}

fn list<'a>(node: &'a Value, field: &str) -> impl Iterator<Item = &'a Value> {
    node[field].as_array().into_iter().flatten()
}

/// Every node below `node` that has the type `kind`.
fn below<'a>(node: &'a Value, kind: &str, found: &mut Vec<&'a Value>) {
    match node {
        Value::Object(fields) => {
            if word(node, "type") == kind {
                found.push(node);
            }
            fields.values().for_each(|value| below(value, kind, found));
        }
        Value::Array(nodes) => nodes.iter().for_each(|each| below(each, kind, found)),
        _ => {}
    }
}

fn all<'a>(node: &'a Value, kind: &str) -> Vec<&'a Value> {
    let mut found = Vec::new();
    below(node, kind, &mut found);
    found
}

fn structs(tree: &Value, module: &Value) -> BTreeSet<String> {
    let types: HashMap<&str, &Value> = list(tree, "miscsp")
        .flat_map(|node| list(node, "typesp"))
        .map(|node| (word(node, "addr"), node))
        .collect();
    list(module, "stmtsp")
        .filter(|node| word(node, "type") == "VAR" && is_struct(&types, word(node, "dtypep")))
        .map(|node| word(node, "name").to_owned())
        .collect()
}

fn is_struct(types: &HashMap<&str, &Value>, addr: &str) -> bool {
    let mut addr = addr;
    // References to references end; a bound keeps a damaged tree from going round.
    for _ in 0..64 {
        let Some(node) = types.get(addr) else {
            return false;
        };
        match word(node, "type") {
            "STRUCTDTYPE" | "UNIONDTYPE" => return true,
            "REFDTYPE" | "PACKARRAYDTYPE" => addr = word(node, "refDTypep"),
            _ => return false,
        }
    }
    false
}

/// Modules nested deeper than this are not followed.
const DEEPEST_MODULE: u32 = 64;

/// Signals of `module` in sensitivity lists of it and of what it instantiates.
fn edges<'a>(
    modules: &HashMap<&'a str, &'a Value>,
    module: &'a Value,
    known: &mut HashMap<&'a str, BTreeMap<String, Edges>>,
    depth: u32,
) -> BTreeMap<String, Edges> {
    let addr = word(module, "addr");
    if let Some(found) = known.get(addr) {
        return found.clone();
    }
    let aliases = aliases(module);
    let mut found: BTreeMap<String, Edges> = BTreeMap::new();
    let mut note = |name: &str, inverted: bool, edges: Edges| {
        let (name, inverted) = resolve(&aliases, name, inverted);
        found
            .entry(name.to_owned())
            .or_default()
            .join(edges, inverted);
    };
    for tree in all(module, "SENTREE") {
        let items: Vec<&Value> = list(tree, "sensesp")
            .filter(|item| matches!(word(item, "edgeType"), "POS" | "NEG"))
            .collect();
        for item in &items {
            let is_rising = word(item, "edgeType") == "POS";
            let edges = Edges {
                rising: is_rising,
                falling: !is_rising,
                alone: items.len() == 1,
            };
            if let Some((name, inverted)) = list(item, "sensp").next().and_then(reference) {
                note(name, inverted, edges);
            }
        }
    }
    for cell in all(module, "CELL") {
        let Some(inner) = modules
            .get(word(cell, "modp"))
            .filter(|_| depth < DEEPEST_MODULE)
        else {
            continue;
        };
        let inner = edges(modules, inner, known, depth + 1);
        for pin in list(cell, "pinsp") {
            let Some(edges) = inner.get(word(pin, "name")) else {
                continue;
            };
            if let Some((name, inverted)) = list(pin, "exprp").next().and_then(reference) {
                note(name, inverted, *edges);
            }
        }
    }
    known.insert(addr, found.clone());
    found
}

/// The signal that an expression is, or is the inverse of.
fn reference(expression: &Value) -> Option<(&str, bool)> {
    match word(expression, "type") {
        "VARREF" => Some((word(expression, "name"), false)),
        "NOT" | "LOGNOT" => {
            let (name, inverted) = list(expression, "lhsp").next().and_then(reference)?;
            Some((name, !inverted))
        }
        _ => None,
    }
}

/// Continuous assignments of one signal, or its inverse, to another.
fn aliases(module: &Value) -> HashMap<&str, (&str, bool)> {
    let assignments = all(module, "ASSIGNW").into_iter();
    assignments
        .filter_map(|node| {
            let left = list(node, "lhsp").next()?;
            let right = list(node, "rhsp").next()?;
            let name = (word(left, "type") == "VARREF").then(|| word(left, "name"))?;
            Some((name, reference(right)?))
        })
        .collect()
}

fn resolve<'a>(
    aliases: &HashMap<&'a str, (&'a str, bool)>,
    mut name: &'a str,
    mut inverted: bool,
) -> (&'a str, bool) {
    // Bounded, since assignments can go round.
    for _ in 0..aliases.len() {
        let Some((other, is_inverse)) = aliases.get(name) else {
            break;
        };
        name = other;
        inverted ^= is_inverse;
    }
    (name, inverted)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Module `a` has `always @(posedge clk)`, an inverted reset and an instance of `b`, which has the reset in a list.
    const TREE: &str = r#"{"type":"NETLIST","modulesp":[
      {"type":"MODULE","name":"a","addr":"(A)","stmtsp":[
        {"type":"VAR","name":"clk","origName":"clk","direction":"INPUT","dtypep":"(L)"},
        {"type":"VAR","name":"rst","origName":"rst","direction":"INPUT","dtypep":"(L)"},
        {"type":"VAR","name":"req","origName":"req","direction":"OUTPUT","dtypep":"(R)"},
        {"type":"VAR","name":"W","varType":"GPARAM","direction":"NONE","valuep":[{"type":"CONST","name":"32'sh8"}]},
        {"type":"ASSIGNW","lhsp":[{"type":"VARREF","name":"rst_n"}],
         "rhsp":[{"type":"NOT","lhsp":[{"type":"VARREF","name":"rst"}]}]},
        {"type":"ALWAYS","sentreep":[{"type":"SENTREE","sensesp":[
          {"type":"SENITEM","edgeType":"POS","sensp":[{"type":"VARREF","name":"clk"}]}]}]},
        {"type":"CELL","name":"u","modp":"(B)","pinsp":[
          {"type":"PIN","name":"c","exprp":[{"type":"VARREF","name":"clk"}]},
          {"type":"PIN","name":"r","exprp":[{"type":"VARREF","name":"rst_n"}]}]}]},
      {"type":"MODULE","name":"b","addr":"(B)","stmtsp":[
        {"type":"ALWAYS","sentreep":[{"type":"SENTREE","sensesp":[
          {"type":"SENITEM","edgeType":"POS","sensp":[{"type":"VARREF","name":"c"}]},
          {"type":"SENITEM","edgeType":"NEG","sensp":[{"type":"VARREF","name":"r"}]}]}]}]}],
      "miscsp":[{"type":"TYPETABLE","typesp":[
        {"type":"BASICDTYPE","addr":"(L)","keyword":"logic","range":""},
        {"type":"REFDTYPE","addr":"(R)","refDTypep":"(S)"},
        {"type":"STRUCTDTYPE","addr":"(S)","membersp":[
          {"type":"MEMBERDTYPE","addr":"(M)","refDTypep":"(L)"}]}]}]}"#;

    #[test]
    fn edges_are_followed_through_instances_and_inverters() {
        let outline = Outline::from_json(TREE, "a").expect("readable");
        let edges = outline.edges.expect("told");
        let clock = Edges {
            rising: true,
            falling: false,
            alone: true,
        };
        // `negedge rst_n` is a rising edge of `rst`.
        let reset = Edges {
            alone: false,
            ..clock
        };
        let expected = [("clk".to_owned(), clock), ("rst".to_owned(), reset)];
        assert_eq!(edges, BTreeMap::from(expected));
    }

    #[test]
    fn struct_ports_and_values_of_parameters_are_told() {
        let outline = Outline::from_json(TREE, "a").expect("readable");
        assert_eq!(outline.structs, BTreeSet::from(["req".to_owned()]));
        assert_eq!(outline.parameters, [("W".to_owned(), Some(8))]);
    }

    #[test]
    fn assignments_that_go_round_end() {
        let aliases = HashMap::from([("a", ("b", true)), ("b", ("a", false))]);
        assert_eq!(resolve(&aliases, "a", false).0, "a");
    }
}
