"""Partners' WSDLs as they really are: copied with all they import, repaired where that is safe, explained where not."""
