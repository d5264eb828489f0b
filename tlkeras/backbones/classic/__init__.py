"""The classic networks that Keras Applications lacks, layer for layer as their authors train them.

    resnet  squeezenet  googlenet  shufflenet  darknet     pixels → feature map, one file a family
    networks        name → a function like those of keras.applications
    torch_weights   .pth and .safetensors with torchvision's names onto such a network
    darknet_weights the original .weights file of Darknet-19
    downloads       torchvision's files: where they are, fetched and checked

A layer is called as in torchvision, with `_` for `.`: the weights "layer1.0.conv1.weight" belong
to the layer "layer1_0_conv1". Importing this package loads no TensorFlow.
"""

CLASSICS = ("ResNet18", "ResNet34", "SqueezeNet1.1", "GoogLeNet", "ShuffleNetV2", "Darknet19")
