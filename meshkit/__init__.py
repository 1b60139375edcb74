"""What every process of the mesh is made of. Knows no business."""
