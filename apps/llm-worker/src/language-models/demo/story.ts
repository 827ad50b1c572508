/** Long enough to be interrupted, in words that are easy to say and to recognise. */
export const STORY = `
Here is a story about a small boat. Once upon a time there was an old man who lived by the sea. Every morning he walked
down to the water and looked at his boat. The boat was small and blue, and it was older than his children. One day the
wind came from the north, and the sky was dark. The old man said to himself that he would stay at home. But then he heard
a voice from the water. It was a little bird that could not fly. The bird sat on a stone far out, and the waves came
higher and higher. The old man did not think for long. He took his boat and went out into the wind. The water was cold,
and the boat went up and down like a horse. He called to the bird to be brave. The bird looked at him and did not move.
After a long time he reached the stone and took the bird into his hands. It was so light that he could hardly feel it. He
put it under his coat, where it was warm and dry. On the way back the wind began to sing. The old man sang with it,
because he was no longer afraid. When they came home, his wife had made soup and a good fire. The bird slept beside the
fire for three days and three nights. On the fourth morning the sun was shining, and the sea was quiet. The bird opened
its wings, flew once around the house, and was gone. The old man thought that he would never see it again. But every year
in spring, when he walked down to the water, a bird was sitting on his blue boat. It waited for him there, and it sang the
song of the wind. And if nobody has told the bird to stop, it is singing there still. That is the end of the story.
`
  .trim()
  .replace(/\s+/g, ' ');
