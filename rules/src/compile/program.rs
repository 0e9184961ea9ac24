//! A condition as a small program: tests and jumps over one flag.

use super::{Expr, PredicateId};

/// An instruction. The flag is the result so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    /// The flag becomes the predicate's value.
    Test(PredicateId),
    /// The flag becomes this.
    Set(bool),
    /// The flag is turned over.
    Not,
    /// Goes on at this instruction if the flag is set.
    JumpIfTrue(u32),
    /// Goes on at this instruction if it is not.
    JumpIfFalse(u32),
}

/// Compiles a condition.
pub(crate) fn compile(expr: &Expr) -> Vec<Op> {
    let mut ops = Vec::new();
    emit(expr, &mut ops);
    ops
}

fn emit(expr: &Expr, ops: &mut Vec<Op>) {
    match expr {
        Expr::Leaf(id, _) => ops.push(Op::Test(*id)),
        Expr::Not(inner) => {
            emit(inner, ops);
            ops.push(Op::Not);
        }
        Expr::All(items) => chain(items, ops, Op::JumpIfFalse),
        Expr::Any(items) => chain(items, ops, Op::JumpIfTrue),
    }
}

fn chain(items: &[Expr], ops: &mut Vec<Op>, jump: fn(u32) -> Op) {
    if items.is_empty() {
        // All of nothing holds; any of nothing, such as an empty list, does not.
        ops.push(Op::Set(jump(0) == Op::JumpIfFalse(0)));
    }
    let mut jumps = Vec::new();
    for (at, item) in items.iter().enumerate() {
        emit(item, ops);
        if at + 1 < items.len() {
            jumps.push(ops.len());
            ops.push(jump(0));
        }
    }
    let end = u32::try_from(ops.len()).unwrap_or(u32::MAX);
    for at in jumps {
        ops[at] = jump(end);
    }
}

/// Runs a program. An empty one is false.
pub(crate) fn run(ops: &[Op], mut holds: impl FnMut(PredicateId) -> bool) -> bool {
    let mut flag = false;
    let mut at = 0;
    while let Some(op) = ops.get(at) {
        at += 1;
        match *op {
            Op::Test(id) => flag = holds(id),
            Op::Set(to) => flag = to,
            Op::Not => flag = !flag,
            Op::JumpIfTrue(to) if flag => at = to as usize,
            Op::JumpIfFalse(to) if !flag => at = to as usize,
            Op::JumpIfTrue(_) | Op::JumpIfFalse(_) => {}
        }
    }
    flag
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn eval(expr: &Expr, bits: u8) -> bool {
        match expr {
            Expr::Leaf(id, _) => bits >> id & 1 == 1,
            Expr::Not(inner) => !eval(inner, bits),
            Expr::All(items) => items.iter().all(|item| eval(item, bits)),
            Expr::Any(items) => items.iter().any(|item| eval(item, bits)),
        }
    }

    fn expr() -> impl Strategy<Value = Expr> {
        let leaf = (0_u32..8).prop_map(|id| Expr::Leaf(id, 0));
        leaf.prop_recursive(5, 30, 4, |inner| {
            prop_oneof![
                inner.clone().prop_map(|e| Expr::Not(Box::new(e))),
                prop::collection::vec(inner.clone(), 0..4).prop_map(Expr::All),
                prop::collection::vec(inner, 0..4).prop_map(Expr::Any),
            ]
        })
    }

    proptest! {
        #[test]
        fn a_program_decides_as_its_condition(expr in expr(), bits: u8) {
            let ops = compile(&expr);
            prop_assert_eq!(run(&ops, |id| bits >> id & 1 == 1), eval(&expr, bits));
        }
    }
}
