"""The parts of `bench.gpu`: one module per part, and what runs and reports them."""
