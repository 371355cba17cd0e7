//! Walks over syntax trees of CEL: stricter field access, and the names an expression uses.

use std::collections::BTreeSet;

use kube::core::cel::cel::IdedExpr;
use kube::core::cel::cel::common::ast::{
    CallExpr, EntryExpr, Expr, IdedEntryExpr, LiteralValue, SelectExpr, operators,
};

/// Replaces `a.b` by `a["b"]`, for which the interpreter reports that `a` is no mapping or lacks `b`. For
/// `a.b` it answers `false` where `a` is no mapping, which makes `self.status.phase != "Failed"` true of
/// an object whose status is null. `has(a.b)` stays as it is.
pub(super) fn strict(node: IdedExpr) -> IdedExpr {
    let expr = match node.expr {
        Expr::Select(select) => {
            let operand = strict(*select.operand);
            if select.test {
                Expr::Select(SelectExpr { operand: Box::new(operand), ..select })
            } else {
                let field = LiteralValue::String(select.field.as_str().into());
                let field = IdedExpr { id: node.id, expr: Expr::Literal(field) };
                Expr::Call(CallExpr {
                    func_name: operators::INDEX.to_owned(),
                    target: None,
                    args: vec![operand, field],
                })
            }
        }
        Expr::Call(call) => Expr::Call(CallExpr {
            func_name: call.func_name,
            target: call.target.map(|target| Box::new(strict(*target))),
            args: call.args.into_iter().map(strict).collect(),
        }),
        Expr::List(mut list) => {
            list.elements = list.elements.into_iter().map(strict).collect();
            Expr::List(list)
        }
        Expr::Map(mut map) => {
            map.entries = map.entries.into_iter().map(strict_entry).collect();
            Expr::Map(map)
        }
        Expr::Struct(mut literal) => {
            literal.entries = literal.entries.into_iter().map(strict_entry).collect();
            Expr::Struct(literal)
        }
        Expr::Comprehension(mut macro_) => {
            macro_.iter_range = strict(macro_.iter_range);
            macro_.accu_init = strict(macro_.accu_init);
            macro_.loop_cond = strict(macro_.loop_cond);
            macro_.loop_step = strict(macro_.loop_step);
            macro_.result = strict(macro_.result);
            Expr::Comprehension(macro_)
        }
        leaf @ (Expr::Unspecified | Expr::Ident(_) | Expr::Literal(_)) => leaf,
    };
    IdedExpr { id: node.id, expr }
}

fn strict_entry(mut entry: IdedEntryExpr) -> IdedEntryExpr {
    entry.expr = match entry.expr {
        EntryExpr::StructField(mut field) => {
            field.value = strict(field.value);
            EntryExpr::StructField(field)
        }
        EntryExpr::MapEntry(mut pair) => {
            pair.key = strict(pair.key);
            pair.value = strict(pair.value);
            EntryExpr::MapEntry(pair)
        }
    };
    entry
}

/// A call of `name` without arguments.
pub(super) fn bare_call(name: &str) -> IdedExpr {
    IdedExpr {
        id: 0,
        expr: Expr::Call(CallExpr { func_name: name.to_owned(), target: None, args: Vec::new() }),
    }
}

/// The names that an expression uses.
#[derive(Debug, Clone, Default)]
pub(super) struct Names {
    /// Variables that no macro binds.
    pub(super) variables: BTreeSet<String>,
    /// Longest chains of literal fields, the free variable first.
    pub(super) chains: BTreeSet<Vec<String>>,
    /// Shortest chains: everything below them is read, nothing beside them.
    pub(super) reads: BTreeSet<Vec<String>>,
    /// Functions that do not exist, in the order of their appearance.
    pub(super) unknown_functions: Vec<String>,
}

impl Names {
    /// The names in a tree that [`strict`] has made.
    pub(super) fn of(node: &IdedExpr, function_exists: &dyn Fn(&str) -> bool) -> Self {
        let mut collector = Collector { names: Self::default(), bound: Vec::new(), function_exists };
        collector.visit(node);
        collector.names
    }
}

struct Collector<'a> {
    names: Names,
    bound: Vec<&'a str>,
    function_exists: &'a dyn Fn(&str) -> bool,
}

impl<'a> Collector<'a> {
    fn visit(&mut self, node: &'a IdedExpr) {
        if let Some(chain) = chain(node) {
            self.chain(&chain);
            return;
        }
        match &node.expr {
            Expr::Call(call) => self.call(call),
            Expr::Select(select) => self.visit(&select.operand),
            Expr::List(list) => list.elements.iter().for_each(|element| self.visit(element)),
            Expr::Map(map) => map.entries.iter().for_each(|entry| self.entry(entry)),
            Expr::Struct(literal) => literal.entries.iter().for_each(|entry| self.entry(entry)),
            Expr::Comprehension(macro_) => {
                self.visit(&macro_.iter_range);
                self.visit(&macro_.accu_init);
                let outer = self.bound.len();
                self.bound.push(&macro_.iter_var);
                self.bound.extend(macro_.iter_var2.as_deref());
                self.bound.push(&macro_.accu_var);
                self.visit(&macro_.loop_cond);
                self.visit(&macro_.loop_step);
                self.visit(&macro_.result);
                self.bound.truncate(outer);
            }
            Expr::Unspecified | Expr::Ident(_) | Expr::Literal(_) => {}
        }
    }

    fn entry(&mut self, entry: &'a IdedEntryExpr) {
        match &entry.expr {
            EntryExpr::StructField(field) => self.visit(&field.value),
            EntryExpr::MapEntry(pair) => {
                self.visit(&pair.key);
                self.visit(&pair.value);
            }
        }
    }

    fn chain(&mut self, chain: &[&str]) {
        let Some(&root) = chain.first() else { return };
        if self.bound.contains(&root) || root.starts_with('@') {
            return;
        }
        self.names.variables.insert(root.to_owned());
        let chain: Vec<String> = chain.iter().map(|&part| part.to_owned()).collect();
        if !self.names.reads.iter().any(|known| chain.starts_with(known)) {
            self.names.reads.retain(|known| !known.starts_with(&chain));
            self.names.reads.insert(chain.clone());
        }
        if self.names.chains.iter().any(|known| known.starts_with(&chain)) {
            return;
        }
        self.names.chains.retain(|known| !chain.starts_with(known));
        self.names.chains.insert(chain);
    }

    fn call(&mut self, call: &'a CallExpr) {
        call.args.iter().for_each(|argument| self.visit(argument));
        let name = call.func_name.as_str();
        if let Some(target) = call.target.as_deref() {
            // `math.greatest(..)` looks like a method of a variable `math`.
            if let Expr::Ident(prefix) = &target.expr
                && (self.function_exists)(&format!("{prefix}.{name}"))
            {
                return;
            }
            self.visit(target);
        }
        // Operators are calls of functions with names such as `_+_`, which the interpreter knows itself.
        let is_operator = !name.starts_with(|first: char| first.is_ascii_alphabetic());
        if !is_operator && !(self.function_exists)(name) {
            self.names.unknown_functions.push(name.to_owned());
        }
    }
}

/// `a`, `a["b"]`, `a["b"]["c"]` and `has(a.b)` as names.
fn chain(node: &IdedExpr) -> Option<Vec<&str>> {
    match &node.expr {
        Expr::Ident(name) => Some(vec![name]),
        Expr::Select(select) => {
            let mut names = chain(&select.operand)?;
            names.push(&select.field);
            Some(names)
        }
        Expr::Call(call) if call.func_name == operators::INDEX => {
            let [operand, index] = call.args.as_slice() else { return None };
            let Expr::Literal(LiteralValue::String(field)) = &index.expr else { return None };
            let mut names = chain(operand)?;
            names.push(field.inner());
            Some(names)
        }
        _ => None,
    }
}
