//! Matrices of transforms: of positions in the plane, of colours.

/// A square matrix for homogeneous coordinates: 3 of the plane, 4 of colours.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Matrix<const N: usize>(pub [[f64; N]; N]);

impl<const N: usize> Matrix<N> {
    pub fn identity() -> Matrix<N> {
        Matrix::of(|row, column| f64::from(u8::from(row == column)))
    }

    fn of(entry: impl Fn(usize, usize) -> f64) -> Matrix<N> {
        Matrix(std::array::from_fn(|row| std::array::from_fn(|column| entry(row, column))))
    }

    /// The product: what `other` does, then what this one does.
    pub fn after(&self, other: &Matrix<N>) -> Matrix<N> {
        Matrix::of(|row, column| (0..N).map(|k| self.0[row][k] * other.0[k][column]).sum())
    }

    /// Multiplies each coordinate.
    fn diagonal(factors: [f64; N]) -> Matrix<N> {
        Matrix::of(|row, column| if row == column { factors[row] } else { 0.0 })
    }

    /// Adds to each coordinate.
    fn adding(amounts: &[f64]) -> Matrix<N> {
        let mut matrix = Matrix::identity();
        matrix.0.iter_mut().zip(amounts).for_each(|(row, amount)| row[N - 1] = *amount);
        matrix
    }
}

impl Matrix<3> {
    pub fn scaling(x: f64, y: f64) -> Matrix<3> {
        Matrix::diagonal([x, y, 1.0])
    }

    pub fn shifting(x: f64, y: f64) -> Matrix<3> {
        Matrix::adding(&[x, y])
    }

    /// A turn by this angle in radians, from the x to the y axis.
    pub fn turning(angle: f64) -> Matrix<3> {
        let (sin, cos) = angle.sin_cos();
        Matrix([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]])
    }

    /// So many quarter turns, in whole numbers.
    pub fn quarter_turns(count: usize) -> Matrix<3> {
        let (cos, sin) = [(1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0)][count % 4];
        Matrix([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]])
    }

    /// Where it takes a point.
    pub fn of_point(&self, [x, y]: [f64; 2]) -> [f64; 2] {
        [0, 1].map(|row| self.0[row][0] * x + self.0[row][1] * y + self.0[row][2])
    }
}

/// Along the greys, of length 1.
const GREY: f64 = 0.577_350_269_189_625_8;

impl Matrix<4> {
    pub fn brightening(by: f64) -> Matrix<4> {
        Matrix::adding(&[by; 3])
    }

    pub fn contrasting(factor: f64) -> Matrix<4> {
        Matrix::diagonal([factor, factor, factor, 1.0])
    }

    /// The mirror that lies across the line of greys: I − 2·v·vᵀ with v along the greys.
    pub fn luma_flip() -> Matrix<4> {
        Matrix::around_grey(-1.0, 1.0)
    }

    /// Multiplies the distance from the line of greys.
    pub fn saturating(factor: f64) -> Matrix<4> {
        Matrix::around_grey(1.0, factor)
    }

    /// Multiplies the part along the greys, and the rest.
    fn around_grey(along: f64, across: f64) -> Matrix<4> {
        Matrix::of(|row, column| match (row, column) {
            (3, 3) => 1.0,
            (3, _) | (_, 3) => 0.0,
            _ => GREY * GREY * (along - across) + if row == column { across } else { 0.0 },
        })
    }

    /// A turn around the line of greys by this angle in radians (Rodrigues's formula), from red to green.
    pub fn hue(angle: f64) -> Matrix<4> {
        let (sin, cos) = angle.sin_cos();
        let cross = [[0.0, -1.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 1.0, 0.0]];
        Matrix::of(|row, column| match (row, column) {
            (3, 3) => 1.0,
            (3, _) | (_, 3) => 0.0,
            _ => {
                let here = if row == column { cos } else { 0.0 };
                here + GREY * GREY * (1.0 - cos) + GREY * sin * cross[row][column]
            }
        })
    }
}
