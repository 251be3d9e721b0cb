//! The elaborated ports and parameters of a core, read from what Verilator says of it in JSON (new) or XML (old).

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};

/// Which way a port points, seen from the core.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PortDirection {
    /// Into the core.
    Input,
    /// Out of the core.
    Output,
    /// Both.
    Inout,
}

/// A port of the elaborated top module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CorePort {
    /// Name in the source.
    pub name: String,
    /// Direction.
    pub direction: PortDirection,
    /// Bits, if it is a packed vector (or packed struct).
    pub width: Option<u32>,
}

/// A parameter of the elaborated top module that can be set from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CoreParameter {
    pub(crate) name: String,
    /// Its value, if it is a number without unknown bits.
    pub(crate) value: Option<Constant>,
}

/// A number of a fixed width, as Verilator writes it: `32'sh8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Constant {
    pub(crate) width: u32,
    bits: u128,
}

impl Constant {
    fn parse(text: &str) -> Option<Self> {
        let (width, digits) = text.split_once('\'')?;
        let width = width
            .parse()
            .ok()
            .filter(|width| (1..=128).contains(width))?;
        let digits = digits.trim_start_matches('s').strip_prefix('h')?;
        let bits = u128::from_str_radix(digits, 16).ok()?;
        Some(Self { width, bits })
    }

    /// Whether it is `number`, read with or without sign.
    pub(crate) fn is(self, number: i64) -> bool {
        let unused = 128 - self.width;
        let signed = (self.bits << unused).cast_signed() >> unused;
        signed == i128::from(number) || u128::try_from(number) == Ok(self.bits)
    }
}

impl fmt::Display for Constant {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.bits)
    }
}

/// The elaborated top module, seen from outside; everything in order of declaration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CoreModule {
    pub(crate) ports: Vec<CorePort>,
    pub(crate) parameters: Vec<CoreParameter>,
}

/// The top module, from the text of a `.tree.json` file.
pub(crate) fn from_json(text: &str, top: &str) -> Result<CoreModule, String> {
    let tree: Node = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let mut types = HashMap::new();
    for table in tree.miscsp.iter().filter(|node| node.kind == "TYPETABLE") {
        types.extend(table.typesp.iter().map(|node| (node.addr.as_str(), node)));
    }
    let module = tree
        .modulesp
        .iter()
        .find(|node| node.kind == "MODULE" && (node.name == top || node.orig_name == top))
        .ok_or_else(|| format!("no module {top} in the elaborated design"))?;
    let variables = || module.stmtsp.iter().filter(|node| node.kind == "VAR");
    let name_of = |node: &Node| {
        let is_renamed = !node.orig_name.is_empty();
        (if is_renamed {
            &node.orig_name
        } else {
            &node.name
        })
        .clone()
    };
    let ports = variables().filter_map(|node| {
        Some(CorePort {
            name: name_of(node),
            direction: direction(&node.direction)?,
            width: json_width(&types, &node.dtypep, 0),
        })
    });
    let parameters = variables()
        .filter(|node| node.var_type == "GPARAM")
        .map(|node| CoreParameter {
            name: name_of(node),
            value: node
                .valuep
                .first()
                .and_then(|value| Constant::parse(&value.name)),
        });
    Ok(CoreModule {
        ports: ports.collect(),
        parameters: parameters.collect(),
    })
}

fn direction(text: &str) -> Option<PortDirection> {
    match text.to_ascii_lowercase().as_str() {
        "input" => Some(PortDirection::Input),
        "output" => Some(PortDirection::Output),
        "inout" => Some(PortDirection::Inout),
        _ => None,
    }
}

/// A node of Verilator's tree, as far as ports need it.
#[derive(Debug, Default)]
struct Node {
    kind: String,
    name: String,
    orig_name: String,
    addr: String,
    direction: String,
    var_type: String,
    valuep: Vec<Node>,
    dtypep: String,
    ref_dtypep: String,
    range: String,
    decl_range: String,
    keyword: String,
    modulesp: Vec<Node>,
    miscsp: Vec<Node>,
    stmtsp: Vec<Node>,
    typesp: Vec<Node>,
    membersp: Vec<Node>,
}

// By hand, because Verilator writes some fields of some nodes twice, which a derived reader refuses. What
// is not looked at, such as the insides of statements, is skipped without being kept: it may be large.
impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a node of the tree")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut node = Node::default();
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            match key.as_ref() {
                "type" => node.kind = map.next_value()?,
                "name" => node.name = map.next_value()?,
                "origName" => node.orig_name = map.next_value()?,
                "addr" => node.addr = map.next_value()?,
                "direction" => node.direction = map.next_value()?,
                "varType" => node.var_type = map.next_value()?,
                // The type comes first: the values of other nodes may be large.
                "valuep" if node.kind == "VAR" => node.valuep = map.next_value()?,
                "dtypep" => node.dtypep = map.next_value()?,
                "refDTypep" => node.ref_dtypep = map.next_value()?,
                "range" => node.range = map.next_value()?,
                "declRange" => node.decl_range = map.next_value()?,
                "keyword" => node.keyword = map.next_value()?,
                "modulesp" => node.modulesp = map.next_value()?,
                "miscsp" => node.miscsp = map.next_value()?,
                // The type comes first: only a module's statements hold ports.
                "stmtsp" if node.kind == "MODULE" => node.stmtsp = map.next_value()?,
                "typesp" => node.typesp = map.next_value()?,
                "membersp" => node.membersp = map.next_value()?,
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(node)
    }
}

/// Types nested deeper than this are taken as unknown.
const DEEPEST_TYPE: u32 = 64;

fn json_width(types: &HashMap<&str, &Node>, addr: &str, depth: u32) -> Option<u32> {
    let node = types.get(addr).filter(|_| depth < DEEPEST_TYPE)?;
    let inner = |addr: &str| json_width(types, addr, depth + 1);
    match node.kind.as_str() {
        "BASICDTYPE" if node.range.is_empty() => keyword_width(&node.keyword),
        "BASICDTYPE" => span(&node.range),
        "PACKARRAYDTYPE" => span(&node.decl_range)?.checked_mul(inner(&node.ref_dtypep)?),
        "REFDTYPE" | "ENUMDTYPE" | "MEMBERDTYPE" => inner(&node.ref_dtypep),
        "STRUCTDTYPE" => node
            .membersp
            .iter()
            .map(|member| inner(&member.ref_dtypep))
            .sum(),
        "UNIONDTYPE" => {
            let widths: Option<Vec<u32>> = node
                .membersp
                .iter()
                .map(|member| inner(&member.ref_dtypep))
                .collect();
            widths?.into_iter().max()
        }
        _ => None,
    }
}

/// Bits of `63:0` or `[63:0]`.
fn span(range: &str) -> Option<u32> {
    let (left, right) = range.trim_matches(['[', ']']).split_once(':')?;
    let (left, right): (i64, i64) = (left.trim().parse().ok()?, right.trim().parse().ok()?);
    u32::try_from(left.abs_diff(right) + 1).ok()
}

fn keyword_width(keyword: &str) -> Option<u32> {
    match keyword {
        "logic" | "bit" | "wire" | "reg" => Some(1),
        "byte" => Some(8),
        "shortint" => Some(16),
        "int" | "integer" => Some(32),
        "longint" | "time" => Some(64),
        _ => None,
    }
}

/// The top module, from the text of an `.xml` file.
pub(crate) fn from_xml(text: &str, top: &str) -> Result<CoreModule, String> {
    let document = roxmltree::Document::parse(text).map_err(|error| error.to_string())?;
    let find = |tag: &'static str| {
        document
            .descendants()
            .filter(move |node| node.has_tag_name(tag))
    };
    let types: HashMap<&str, roxmltree::Node<'_, '_>> = find("typetable")
        .flat_map(|table| table.descendants())
        .filter_map(|node| Some((node.attribute("id")?, node)))
        .collect();
    let module = find("module")
        .find(|node| [node.attribute("name"), node.attribute("origName")].contains(&Some(top)))
        .ok_or_else(|| format!("no module {top} in the elaborated design"))?;
    let variables = || module.children().filter(|node| node.has_tag_name("var"));
    let name_of = |node: &roxmltree::Node<'_, '_>| {
        let name = node.attribute("origName").or(node.attribute("name"))?;
        Some(name.to_owned())
    };
    let ports = variables().filter_map(|node| {
        let width = node
            .attribute("dtype_id")
            .and_then(|id| xml_width(&types, id, 0));
        Some(CorePort {
            name: name_of(&node)?,
            direction: direction(node.attribute("dir")?)?,
            width,
        })
    });
    let parameters = variables()
        .filter(|node| node.attribute("param") == Some("true"))
        .filter_map(|node| {
            let value = node.children().find(|child| child.has_tag_name("const"));
            Some(CoreParameter {
                name: name_of(&node)?,
                value: value
                    .and_then(|value| value.attribute("name"))
                    .and_then(Constant::parse),
            })
        });
    Ok(CoreModule {
        ports: ports.collect(),
        parameters: parameters.collect(),
    })
}

fn xml_width(types: &HashMap<&str, roxmltree::Node<'_, '_>>, id: &str, depth: u32) -> Option<u32> {
    let node = types.get(id).filter(|_| depth < DEEPEST_TYPE)?;
    let inner = |node: &roxmltree::Node<'_, '_>| {
        xml_width(types, node.attribute("sub_dtype_id")?, depth + 1)
    };
    let mut members = node
        .children()
        .filter(|child| child.has_tag_name("memberdtype"));
    match node.tag_name().name() {
        "basicdtype" => match (node.attribute("left"), node.attribute("right")) {
            (Some(left), Some(right)) => span(&format!("{left}:{right}")),
            _ => keyword_width(node.attribute("name")?),
        },
        "packarraydtype" => {
            let bounds: Vec<i64> = node
                .descendants()
                .filter(|child| child.has_tag_name("const"))
                .filter_map(|child| verilog_integer(child.attribute("name")?))
                .collect();
            let &[left, right] = bounds.as_slice() else {
                return None;
            };
            span(&format!("{left}:{right}"))?.checked_mul(inner(node)?)
        }
        "refdtype" | "enumdtype" | "memberdtype" => inner(node),
        "structdtype" => members.map(|member| inner(&member)).sum(),
        "uniondtype" => {
            members.try_fold(0, |widest: u32, member| Some(widest.max(inner(&member)?)))
        }
        _ => None,
    }
}

/// Value of `32'sh3f`.
fn verilog_integer(text: &str) -> Option<i64> {
    let (_, digits) = text.split_once('\'')?;
    i64::from_str_radix(digits.trim_start_matches('s').strip_prefix('h')?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameter(name: &str, value: &str) -> CoreParameter {
        CoreParameter {
            name: name.to_owned(),
            value: Constant::parse(value),
        }
    }

    #[test]
    fn a_constant_is_a_number_with_or_without_sign() {
        let is = |text, number| Constant::parse(text).expect("a constant").is(number);
        assert!(is("32'h8", 8) && is("32'sh8", 8) && is("64'h7fffffffffffffff", i64::MAX));
        assert!(is("32'hfffffffb", -5) && is("32'hfffffffb", 0xffff_fffb));
        assert!(is("64'h8000000000000000", i64::MIN));
        assert!(!is("32'h8", (1 << 40) + 8) && !is("4'h1", 17));
        for text in ["8", "32'bx", "4'h", "200'h1"] {
            assert_eq!(Constant::parse(text), None, "{text}");
        }
    }

    #[test]
    fn ranges_are_read_in_both_directions() {
        assert_eq!(span("63:0"), Some(64));
        assert_eq!(span("[0:7]"), Some(8));
        assert_eq!(span("x"), None);
    }

    #[test]
    fn ports_are_read_from_xml() {
        let text = r#"<verilator_xml><netlist>
            <module name="a" origName="a" topModule="1">
              <var name="W" dtype_id="3" origName="W" param="true"><const name="32'sh8" dtype_id="2"/></var>
              <var name="L" dtype_id="3" origName="L" localparam="true"/>
              <var name="clk" dtype_id="3" dir="input" origName="clk"/>
              <var name="s" dtype_id="6" dir="output" origName="s"/>
              <var name="p" dtype_id="8" dir="input" origName="p"/>
              <var name="u" dtype_id="10" dir="input" origName="u"/>
            </module>
            <typetable>
              <basicdtype id="3" name="logic"/>
              <basicdtype id="11" name="logic" left="3" right="0"/>
              <structdtype id="6" name="s_t">
                <memberdtype id="13" name="a" sub_dtype_id="11"/>
                <memberdtype id="14" name="b" sub_dtype_id="3"/>
              </structdtype>
              <packarraydtype id="8" sub_dtype_id="11">
                <range><const name="32'sh3" dtype_id="2"/><const name="32'sh0" dtype_id="2"/></range>
              </packarraydtype>
              <unpackarraydtype id="10" sub_dtype_id="3"/>
            </typetable></netlist></verilator_xml>"#;
        let module = from_xml(text, "a").expect("readable");
        assert_eq!(module.parameters, [parameter("W", "32'sh8")]);
        let found: Vec<_> = module
            .ports
            .iter()
            .map(|port| (port.name.as_str(), port.direction, port.width))
            .collect();
        assert_eq!(
            found,
            [
                ("clk", PortDirection::Input, Some(1)),
                ("s", PortDirection::Output, Some(5)),
                ("p", PortDirection::Input, Some(16)),
                ("u", PortDirection::Input, None),
            ]
        );
    }

    #[test]
    fn ports_are_read_from_json_with_fields_written_twice() {
        let text = r#"{"type":"NETLIST","modulesp":[{"type":"MODULE","name":"a","stmtsp":[
              {"type":"VAR","name":"d","name":"d","origName":"d","direction":"INPUT","dtypep":"(O)"},
              {"type":"VAR","name":"e","origName":"e","direction":"OUTPUT","dtypep":"(U)"},
              {"type":"VAR","name":"W","varType":"GPARAM","direction":"NONE","valuep":[{"type":"CONST","name":"32'sh8"}]},
              {"type":"VAR","name":"L","varType":"LPARAM","direction":"NONE","valuep":[{"type":"CONST","name":"1'h1"}]},
              {"type":"VAR","name":"x","origName":"x","direction":"NONE","dtypep":"(O)"},
              {"type":"ALWAYS","stmtsp":[{"type":"VAR","name":"y"}]}]}],
            "miscsp":[{"type":"TYPETABLE","typesp":[
              {"type":"BASICDTYPE","addr":"(O)","keyword":"logic","range":"31:0"},
              {"type":"REFDTYPE","addr":"(U)","refDTypep":"(W)"},
              {"type":"ENUMDTYPE","addr":"(W)","refDTypep":"(X)"},
              {"type":"BASICDTYPE","addr":"(X)","keyword":"logic","range":"1:0"}]}]}"#;
        let module = from_json(text, "a").expect("readable");
        assert_eq!(module.parameters, [parameter("W", "32'sh8")]);
        let found: Vec<_> = module
            .ports
            .iter()
            .map(|port| (port.name.as_str(), port.width))
            .collect();
        assert_eq!(found, [("d", Some(32)), ("e", Some(2))]);
    }
}
