"""Figures and tables of any Keras model, with no `dot` program.

`diagram` draws a network as a paper shows it: in blocks, equal neighbours as one, at the size of a venue's column.

    diagram(model, width="ieee1").save("net.pdf")

`plot_model` and `model_to_dot` have Keras's arguments and draw what Keras's draw; `depth=1` draws a box per block
instead, fit for a paper's column. `to_graphviz` gives a `graphviz.Source`, `table` and `rows` say the same in words
and numbers.

    plot_model(model, "net.pdf", depth=1)

All of them read a `Graph` (`graphs.read_graph`), which `graphs.collapse` draws together into blocks. A block is
whatever shares the first part of a dotted layer name: layers called `stem.conv` and `stem.activation` make the block
`stem`. A layer of your own is counted if it has a method `multiply_adds(input_shape, output_shape)`.

Beside the figure: `compare` puts several networks in one table, `diff` says and draws what changed between two,
`alt_text` and `caption` describe a figure in words, and `mermaid` writes it for a README. Pictures of a training are in
`layerblocks.training`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
