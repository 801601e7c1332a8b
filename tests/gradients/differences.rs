//! The method of comparison: a scalar made from an operation, its gradients, and central differences of it.
//!
//! s = Σ r·f + ½·Σ q·f² with fixed random r and q, and P = Σ c·(∂s/∂x)² for the first operand x. First order compares
//! ∂s, second order ∂P, with respect to all operands. P needs candle to keep the graph of a gradient, which it only
//! does when `CANDLE_GRAD_DO_NOT_DETACH` is set before the first backward of a thread.

use tachie::Result;
use tachie::autograd::{backward, backward_keeping_graph};
use tachie::candle_core::{self, DType, Device, Tensor, Var};
use tachie::rng::seed;

/// Largest difference divided by the largest reference value that still counts as equal.
const FINITE_DIFFERENCE: f64 = 1e-7;
const SINGLE_PRECISION: f64 = 2e-5;

pub type Function = Box<dyn Fn(&[Tensor]) -> Result<Tensor> + Send + Sync>;

/// One operation on operands of these shapes.
pub struct Case {
    pub name: String,
    pub shapes: Vec<Vec<usize>>,
    pub function: Function,
}

impl Case {
    pub fn new(
        name: &str,
        shapes: &[&[usize]],
        function: impl Fn(&[Tensor]) -> Result<Tensor> + Send + Sync + 'static,
    ) -> Case {
        let shapes = shapes.iter().map(|shape| shape.to_vec()).collect();
        Case { name: name.to_string(), shapes, function: Box::new(function) }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Order {
    First,
    Second,
}

/// Fixed numbers in ±[0.05, 1.25], away from the kinks of piecewise linear functions.
pub fn operand(name: &str, index: usize, count: usize) -> Vec<f64> {
    let mut stream = seed(20).stream(&format!("{name}/{index}"));
    (0..count).map(|_| stream.range(0.05, 1.25) * if stream.chance(0.5) { 1.0 } else { -1.0 }).collect()
}

fn fixed(name: &str, like: &Tensor) -> Result<Tensor> {
    let mut stream = seed(21).stream(name);
    let numbers: Vec<f64> = (0..like.elem_count()).map(|_| stream.range(-1.0, 1.0)).collect();
    Ok(Tensor::from_vec(numbers, like.shape(), &Device::Cpu)?.to_dtype(like.dtype())?)
}

fn variables(values: &[Vec<f64>], shapes: &[Vec<usize>], dtype: DType) -> Result<Vec<Var>> {
    let variable = |(values, shape): (&Vec<f64>, &Vec<usize>)| -> Result<Var> {
        Ok(Var::from_tensor(&Tensor::from_vec(values.clone(), shape.as_slice(), &Device::Cpu)?.to_dtype(dtype)?)?)
    };
    values.iter().zip(shapes).map(variable).collect()
}

fn scalar(case: &Case, variables: &[Var], order: Order) -> Result<Tensor> {
    let operands: Vec<Tensor> = variables.iter().map(|variable| variable.as_tensor().clone()).collect();
    let y = (case.function)(&operands)?;
    let linear = (&y * fixed("r", &y)?)?.sum_all()?;
    let quadratic = (y.sqr()? * fixed("q", &y)?)?.sum_all()?;
    let s = (linear + quadratic.affine(0.5, 0.0)?)?;
    if order == Order::First {
        return Ok(s);
    }
    let gradients = backward_keeping_graph(&s)?;
    let gradient = gradients.get(&variables[0]).ok_or_else(|| candle_core::Error::msg("no gradient for operand 0"))?;
    Ok((gradient.sqr()? * fixed("c", gradient)?)?.sum_all()?)
}

pub fn numbers(tensor: &Tensor) -> Result<Vec<f64>> {
    Ok(tensor.to_dtype(DType::F64)?.flatten_all()?.to_vec1()?)
}

fn analytic(case: &Case, values: &[Vec<f64>], dtype: DType, order: Order) -> Result<Vec<Vec<f64>>> {
    let variables = variables(values, &case.shapes, dtype)?;
    let gradients = backward(&scalar(case, &variables, order)?)?;
    let gradient = |variable: &Var| match gradients.get(variable) {
        Some(gradient) => numbers(gradient),
        None => Ok(vec![0.0; variable.elem_count()]),
    };
    variables.iter().map(gradient).collect()
}

fn numeric(case: &Case, values: &[Vec<f64>], order: Order) -> Result<Vec<Vec<f64>>> {
    const H: f64 = 1e-5;
    let mut moved = values.to_vec();
    let mut gradients = Vec::new();
    for operand in 0..values.len() {
        let mut gradient = Vec::new();
        for index in 0..values[operand].len() {
            let mut sides = [0.0; 2];
            for (side, h) in sides.iter_mut().zip([H, -H]) {
                moved[operand][index] = values[operand][index] + h;
                let variables = variables(&moved, &case.shapes, DType::F64)?;
                *side = scalar(case, &variables, order)?.to_scalar::<f64>()?;
            }
            moved[operand][index] = values[operand][index];
            gradient.push((sides[0] - sides[1]) / (2.0 * H));
        }
        gradients.push(gradient);
    }
    Ok(gradients)
}

/// Largest difference, relative to the largest reference value of the operand.
pub fn difference(found: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let scale = expected.iter().fold(1e-6, |largest: f64, value| largest.max(value.abs()));
    found.iter().zip(expected).fold(0.0, |worst, (a, b)| {
        let error = (a - b).abs() / scale;
        if error.is_nan() { f64::INFINITY } else { worst.max(error) }
    })
}

/// Compares one case; returns the line of the table, or what is wrong.
pub fn compare(case: &Case, order: Order) -> Result<String, String> {
    let run = || -> Result<(f64, f64)> {
        let sizes = case.shapes.iter().map(|shape| shape.iter().product());
        let values: Vec<Vec<f64>> = sizes.enumerate().map(|(i, size)| operand(&case.name, i, size)).collect();
        let double = analytic(case, &values, DType::F64, order)?;
        let single = analytic(case, &values, DType::F32, order)?;
        let numeric = numeric(case, &values, order)?;
        let worst = |found: &[Vec<f64>], expected: &[Vec<f64>]| {
            found.iter().zip(expected).fold(0.0f64, |worst, (a, b)| worst.max(difference(a, b)))
        };
        Ok((worst(&double, &numeric), worst(&single, &double)))
    };
    let (double, single) = run().map_err(|error| format!("{}: {error}", case.name))?;
    let line = format!("{:<44} f64 to differences {double:.1e}   f32 to f64 {single:.1e}", case.name);
    if double < FINITE_DIFFERENCE && single < SINGLE_PRECISION { Ok(line) } else { Err(line) }
}
