"""Engine `inflate`: one picture becomes a closed, textured object by inflating its silhouette. No weights."""
